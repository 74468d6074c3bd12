"""Content decides what is stale, for `snakemake` and `dvc repro` alike, on this machine and in a clone."""

import os
import re
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.xdist_group("workflow")

LIBRARY = "workflow/neural_collapse"
RUN = "digits-vgg11-mse-seed0"


def everywhere(study, pattern="**/*.py"):
    return sorted((study.path / LIBRARY).glob(pattern))


def test_touching_every_file_reruns_nothing(study):
    for path in Path(study.path).rglob("*"):
        if path.is_file() and not {".git", ".dvc", ".snakemake"} & set(path.relative_to(study.path).parts):
            os.utime(path)
    assert study.plan() == {}
    assert "up to date" in study.run("dvc", "status")


def test_comments_docstrings_and_formatting_recompute_nothing(study):
    before = study.state_of()
    for path in everywhere(study):
        path.write_text("# A comment.\n\n" + path.read_text().replace('"""', '"""Said differently. ', 1) + "\n\n")
    assert study.plan() == {}
    study.run("dvc", "repro")
    assert study.state_of() == before


@pytest.mark.parametrize(
    "module, jobs",
    [
        ("figures/figure_07", {"figure": 1}),
        (
            "measures",
            {
                "simulate_central_path": 1,
                "measure": 3,
                "summarise": 3,
                "collect": 1,
                "claims": 1,
                "table": 1,
                "figure": 3,
            },
        ),
        (
            "networks/vgg",
            {"train_network": 2, "extract_features": 2, "attack": 2, "measure": 2, "summarise": 2}
            | {"collect": 1, "claims": 1, "table": 1, "figure": 3},
        ),
        (
            "losses",
            {"train_network": 3, "extract_features": 3, "attack": 3, "measure": 3, "summarise": 3}
            | {"collect": 1, "claims": 1, "table": 1, "figure": 3},
        ),
        ("central_path", {"simulate_central_path": 1}),
    ],
)
def test_a_changed_statement_reaches_what_depends_on_it_alone(study, module, jobs):
    with open(study.path / LIBRARY / f"{module}.py", "a") as file:
        file.write("\n_ANOTHER = 1\n")
    assert study.plan() == jobs


ONE_CHAIN = dict.fromkeys(("train_network", "extract_features", "attack", "measure", "summarise"), 1)
ONE_RUN = ONE_CHAIN | {"collect": 1, "claims": 1}


@pytest.mark.parametrize(
    "old, new, jobs",
    [
        # Another learning rate of one run: that run, and the figures that show it.
        ("digits-vgg11-mse: {}", "digits-vgg11-mse: {learning_rate: 0.03}", ONE_RUN | {"figure": 3, "table": 1}),
        ("digits-vgg11-ce: {learning_rate: 0.02}", "digits-vgg11-ce: {learning_rate: 0.03}", ONE_RUN | {"figure": 1}),
        # A new run: its own chain. A removed one: nothing is computed, only drawn.
        (
            "digits-vgg11-mse: {}",
            "digits-vgg11-mse: {}\n      digits-vgg13-mse: {}",
            ONE_RUN | {"figure": 3, "table": 1},
        ),
        ("      digits-resnet18-mse: {}\n", "", {"collect": 1, "claims": 1, "table": 1, "figure": 3}),
        # A new seed: every run once more.
        (
            "    networks:",
            "    seeds: [0, 7]\n    networks:",
            dict.fromkeys(("train_network", "extract_features", "attack", "measure", "summarise", "figure"), 3)
            | {"collect": 1, "claims": 1, "table": 1},
        ),
        # Another study or machine setting is nobody's parameter.
        ("study: tiny", "gpu_jobs: 4\nstudy: tiny", {}),
    ],
)
def test_a_changed_configuration_reaches_the_runs_it_concerns(study, old, new, jobs):
    study.edit("config.yaml", old, new)
    assert study.plan() == jobs


def test_a_deleted_metrics_file_is_measured_again_without_training(study):
    file = study.path / f"results/tiny/metrics/{RUN}.csv"
    before = file.read_bytes()
    file.unlink()
    assert study.plan() == {"measure": 1, "summarise": 1, "collect": 1, "claims": 1, "table": 1, "figure": 3}
    study.run("snakemake", "--cores", "2")
    assert file.read_bytes() == before
    assert study.run("git", "status", "--porcelain") == "", "the same numbers must leave git clean"


def test_an_altered_checkpoint_is_detected_and_repaired_by_the_command_that_is_named(study):
    with open(study.path / f"results/tiny/checkpoints/{RUN}/01.safetensors", "ab") as file:
        file.write(b"x")
    assert "results/tiny/checkpoints" in study.run("dvc", "status")
    message = study.run("snakemake", "-n", fails=True)
    assert f"{RUN}/01.safetensors" in message
    command = re.search(r"`(dvc checkout [^`]*)`", message).group(1)
    study.run(*command.split())
    assert study.plan() == {}


def test_absent_images_make_nothing_stale(study):
    images = study.path / "results/tiny/data/digits.safetensors"
    before = images.read_bytes()
    images.unlink()
    assert study.plan() == {}
    study.run("snakemake", "--cores", "2", "data")
    assert images.read_bytes() == before
    assert study.plan() == {}


def test_a_users_own_data_is_followed_by_its_content(study):
    def write(seed, save=np.savez, name="my data.npz"):
        images = np.random.default_rng(seed).integers(0, 256, (30, 8, 8), dtype=np.uint8)
        split = {"images": images, "labels": np.arange(30) % 3}
        arrays = {f"{name}_{key}": value for name in ("train", "test") for key, value in split.items()}
        save(study.path / name, **arrays)

    write(seed=0)
    study.edit("config.yaml", "      digits: {", "      mine: {source: arrays, path: my data.npz}\n      digits: {")
    study.edit("config.yaml", "(?=      digits-vgg11-mse)", "      mine-vgg11-ce: {batch_size: 10}\n")
    study.run("snakemake", "--cores", "1", "train")
    trained = study.state_of("results/tiny/checkpoints")
    card = "results/tiny/datasets/mine.json"
    assert study.plan(card) == {}
    write(seed=0)
    assert study.plan(card) == {}
    write(seed=0, name="moved.npz")
    study.edit("config.yaml", "path: my data.npz", "path: moved.npz")
    assert study.plan("train") == {}, "the same bytes in another place"
    write(seed=0, save=np.savez_compressed, name="moved.npz")
    assert study.plan(card) == {"prepare_dataset": 1}
    study.run("snakemake", "--cores", "1", "train")
    assert study.state_of("results/tiny/checkpoints") == trained, "other bytes, the same images"
    (study.path / "moved.npz").unlink()
    assert study.plan("train") == {}, "the origin says what the images were made of"
    write(seed=1, name="moved.npz")
    study.run("snakemake", "--cores", "1", "train")
    changed = {path for path, state in study.state_of("results/tiny/checkpoints").items() if state != trained[path]}
    assert changed == {path for path in trained if "/mine-" in path}


def test_a_run_that_was_removed_comes_back_stale(study):
    study.edit("config.yaml", "      digits-resnet18-mse: {}\n", "")
    study.run("snakemake", "--cores", "2")
    study.commit("One run less")
    study.run("git", "checkout", "-q", "HEAD~1")
    assert study.plan() == {}
    study.run("git", "checkout", "-q", "main")
    study.edit("config.yaml", "(?=    attack:)", "      digits-resnet18-mse: {learning_rate: 0.07}\n")
    assert study.plan()["train_network"] == 1, "what is left of the run on the disk was made with another rate"


def test_a_clone_redraws_a_figure_without_training(clone):
    assert clone.plan("figures") == {}
    figure = clone.path / "results/tiny/figures/figure-07.pdf"
    before = figure.read_bytes()
    figure.unlink()
    assert clone.plan("results/tiny/figures/figure-07.pdf") == {"figure": 1}
    clone.run("snakemake", "--cores", "2", "results/tiny/figures/figure-07.pdf")
    assert figure.read_bytes() == before
    assert clone.run("git", "status", "--porcelain") == ""


def test_a_clone_trains_the_run_whose_learning_rate_was_edited_and_no_other(clone):
    clone.edit("config.yaml", "digits-vgg11-ce: {learning_rate: 0.02}", "digits-vgg11-ce: {learning_rate: 0.03}")
    one_run = {"train_network": 1, "extract_features": 1, "attack": 1, "measure": 1, "claims": 1, "figure": 1}
    assert clone.plan("figures") == one_run
    resume = clone.path / "results/tiny/resume"
    (resume / RUN).mkdir(parents=True)  # of another training, that was killed
    clone.run("snakemake", "--cores", "2", "figures")
    assert clone.plan("figures") == {}
    assert [path.name for path in resume.iterdir()] == [RUN], "a finished training leaves nothing to continue"


def test_a_clone_with_all_data_pulled_has_nothing_to_do(clone, completed):
    clone.run("dvc", "remote", "add", "--local", "--default", "origin", str(completed.path / ".dvc/cache"))
    clone.run("dvc", "cache", "dir", "--local", str(completed.path / ".dvc/cache"))
    clone.run("dvc", "checkout")
    assert clone.plan() == {}
    assert "up to date" in clone.run("dvc", "status")


def test_data_of_another_commit_is_refused_until_it_is_checked_out(study):
    study.edit("config.yaml", "digits-vgg11-ce: {learning_rate: 0.02}", "digits-vgg11-ce: {learning_rate: 0.03}")
    study.run("snakemake", "--cores", "2")
    study.run("dvc", "repro")
    study.commit("Another learning rate")
    study.run("git", "checkout", "-q", "HEAD~1")
    for command in (["snakemake", "-n"], ["snakemake", "--cores", "2", "figures"]):
        assert "dvc checkout" in study.run(*command, fails=True)
    study.run("dvc", "checkout", "--force")
    assert study.plan() == {}


def test_dvc_and_snakemake_agree_in_either_order(study):
    assert study.run("git", "show", "--stat", "--format=", "HEAD").count("dvc.lock") == 1
    before = study.state_of()
    for command in (["dvc", "repro"], ["snakemake", "--cores", "2"], ["dvc", "repro"]):
        study.run(*command)
        assert study.state_of() == before
        assert study.run("git", "status", "--porcelain") == ""
    study.edit("config.yaml", "digits-resnet18-mse: {}", "digits-resnet18-mse: {learning_rate: 0.03}")
    study.run("dvc", "repro")
    assert study.plan() == {}
    assert "up to date" in study.run("dvc", "status")


def test_a_failed_job_leaves_no_output_and_is_made_by_the_next_run(study):
    study.edit("config.yaml", "digits-vgg11-mse: {}", "digits-vgg11-mse: {learning_rate: 1e9}")
    message = study.run("snakemake", "--cores", "2", fails=True)
    assert re.search("diverged", message), message
    assert not list((study.path / f"results/tiny/checkpoints/{RUN}").glob("*"))
    assert study.plan()["train_network"] == 1
    assert study.plan("figures")["train_network"] == 1
    study.run("dvc", "repro", fails=True)
    study.edit("config.yaml", "learning_rate: 1e9", "learning_rate: 0.03")
    study.run("snakemake", "--cores", "2")
    assert study.plan() == {}


def test_an_experiment_of_dvc_changes_one_run(study):
    study.run("dvc", "exp", "run", "-S", "config.yaml:studies.tiny.runs.digits-vgg11-ce.learning_rate=0.03")
    assert "learning_rate: 0.03" in (study.path / "config.yaml").read_text()
    assert study.plan() == {}
    assert "learning_rate" in study.run("dvc", "params", "diff")


def test_a_missing_prerequisite_of_one_figure_is_all_that_is_made(fresh):
    jobs = fresh.plan("results/tiny/figures/figure-07.pdf")
    assert jobs == {"prepare_dataset": 1, "train_network": 2, "extract_features": 2, "measure": 2, "figure": 1}
