"""Content decides what is stale, for `snakemake` and `dvc repro` alike, on this machine and in a clone."""

import os
import re
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

pytestmark = pytest.mark.xdist_group("staleness")

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
            "metrics/measures",
            {
                "measure": 3,
                "summarise": 3,
                "collect": 1,
                "claims": 1,
                "table": 1,
                "figure": 3,
            },
        ),
        (
            "train/networks/vgg",
            {"train_network": 2, "extract_features": 2, "attack": 2, "measure": 2, "summarise": 2}
            | {"portrait": 2, "collect": 1, "claims": 1, "table": 1, "figure": 4},
        ),
        (
            "train/losses/mse",
            {"train_network": 2, "extract_features": 2, "attack": 2, "measure": 2, "summarise": 2}
            | {"portrait": 2, "collect": 1, "claims": 1, "table": 1, "figure": 4},
        ),
        ("theory/central_path", {"simulate_central_path": 1, "check_theory": 1, "claims": 1}),
    ],
)
def test_a_changed_statement_reaches_what_depends_on_it_alone(study, module, jobs):
    with open(study.path / LIBRARY / f"{module}.py", "a") as file:
        file.write("\nassert True\n")
    assert study.plan() == jobs


@pytest.mark.parametrize("module", ["train/resume", "errors", "config/checks", "steps/_stopping"])
def test_what_decides_no_byte_reruns_nothing(study, module):
    with open(study.path / LIBRARY / f"{module}.py", "a") as file:
        file.write("\nassert True\n")
    assert study.plan() == {}


def test_what_nothing_speaks_of_reruns_nothing(study):
    for path in everywhere(study):
        if path.name == "vision.py":
            continue  # imported for what it does, so all of it counts
        with open(path, "a") as file:
            file.write("\n_ANOTHER = 1\n\n\ndef _another():\n    return _ANOTHER\n")
    assert study.plan() == {}


ONE_CHAIN = dict.fromkeys(("train_network", "extract_features", "attack", "measure", "portrait", "summarise"), 1)
ONE_RUN = ONE_CHAIN | {"collect": 1, "list_runs": 1, "claims": 1}


@pytest.mark.parametrize(
    "old, new, jobs",
    [
        # Another learning rate of one run: that run, and the figures that show it.
        ("digits-vgg11-mse: {}", "digits-vgg11-mse: {learning_rate: 0.03}", ONE_RUN | {"figure": 4, "table": 1}),
        ("digits-vgg11-ce: {learning_rate: 0.02}", "digits-vgg11-ce: {learning_rate: 0.03}", ONE_RUN | {"figure": 3}),
        # A new run: its own chain. A removed one: nothing is computed, only drawn.
        (
            "digits-vgg11-mse: {}",
            "digits-vgg11-mse: {}\n      digits-vgg13-mse: {}",
            ONE_RUN | {"figure": 4, "table": 1},
        ),
        ("      digits-resnet18-mse: {}\n", "", {"collect": 1, "list_runs": 1, "claims": 1, "table": 1, "figure": 4}),
        # A new seed: every run once more, but for its portrait, which is of the first.
        (
            "    networks:",
            "    seeds: [0, 7]\n    networks:",
            dict.fromkeys(("train_network", "extract_features", "attack", "measure", "summarise", "figure"), 3)
            | {"collect": 1, "list_runs": 1, "claims": 1, "table": 1},
        ),
        # Another study or machine setting is nobody's parameter.
        ("study: tiny", "gpu_jobs: 4\ntensorboard: true\nstudy: tiny", {}),
    ],
)
def test_a_changed_configuration_reaches_the_runs_it_concerns(study, old, new, jobs):
    study.edit("config.yaml", old, new)
    assert study.plan() == jobs


def test_a_kept_file_that_was_altered_is_made_again(study):
    """By hand, by a merge, by `git checkout other -- file`, by `rsync -a`: whatever time it then has."""
    altered = {
        f"metrics/{RUN}.csv": {"measure": 1, "summarise": 1, "collect": 1, "claims": 1, "table": 1, "figure": 3},
        f"robustness/{RUN}.csv": {"attack": 1, "summarise": 1, "collect": 1, "claims": 1},
        "metrics.csv": {"collect": 1},
        "claims.csv": {"claims": 1},
        "theory/small.csv": {"simulate_central_path": 1},
        "tables/table-1.csv": {"table": 1},
        f"metrics/portraits/{RUN}.json": {"portrait": 1, "figure": 1},
        "figures/figure-07.png": {"figure": 1},
    }
    for number, (file, jobs) in enumerate(altered.items()):
        path = study.path / "results/tiny" / file
        before = path.read_bytes()
        path.write_bytes(before[:-3] + bytes([before[-3] ^ 1]) + before[-2:])
        if number % 2 == 0:
            os.utime(path, (1577836800, 1577836800))
        assert study.plan() == jobs, file
        path.write_bytes(before)
    assert study.plan() == {}
    for file in ("metrics.csv", "figures/figure-07.png"):
        with open(study.path / "results/tiny" / file, "ab") as stream:
            stream.write(b"9")
    assert "modified" in study.run("dvc", "status")
    study.run("dvc", "repro")
    assert study.plan() == {}
    assert study.run("git", "status", "--porcelain") == "", "a forgery is never locked in"


def test_a_layer_made_alone_is_followed_by_the_others_in_a_clone(study, tmp_path):
    study.edit("config.yaml", "digits-vgg11-ce: {learning_rate: 0.02}", "digits-vgg11-ce: {learning_rate: 0.03}")
    study.run("snakemake", "--cores", "2", "train")
    study.commit("One layer alone")
    study.run("git", "clone", "-q", ".", str(tmp_path / "clone"))
    other = type(study)(tmp_path / "clone")
    rest = {"extract_features": 1, "attack": 1, "measure": 1, "portrait": 1, "list_runs": 1, "claims": 1, "figure": 3}
    assert study.plan("figures") == rest
    assert other.plan("figures") == rest | {"train_network": 1}, "for whose weights the features wait"


def test_figures_dated_tomorrow_follow_another_learning_rate(study):
    tomorrow = time.time() + 86400
    for path in (study.path / "results/tiny/figures").iterdir():
        os.utime(path, (tomorrow, tomorrow))
    study.run("dvc", "repro")
    before = (study.path / "results/tiny/figures/figure-07.png").read_bytes()
    study.edit("config.yaml", "digits-vgg11-mse: {}", "digits-vgg11-mse: {learning_rate: 0.03}")
    study.run("dvc", "repro")
    assert (study.path / "results/tiny/figures/figure-07.png").read_bytes() != before
    assert study.plan() == {}


def test_what_a_failed_training_left_absent_hides_nothing(study):
    """A second rate is trained, a third diverges and leaves no checkpoints, the second comes back."""
    study.edit("config.yaml", "digits-vgg11-mse: {}", "digits-vgg11-mse: {learning_rate: 0.03}")
    study.run("snakemake", "--cores", "2", "train")
    study.edit("config.yaml", "{learning_rate: 0.03}", "{learning_rate: 1e9}")
    study.run("snakemake", "--cores", "2", "train", fails=True)
    study.edit("config.yaml", "{learning_rate: 1e9}", "{learning_rate: 0.03}")
    assert study.plan()["train_network"] == 1 and study.plan()["figure"] == 4


def test_code_that_is_edited_while_a_job_waits_fails_that_job(study):
    study.edit("config.yaml", "digits-vgg11-mse: {}", "digits-vgg11-mse: {learning_rate: 0.03, epochs: 400}")
    working = study.start("snakemake", "--cores", "1")
    wait_for(study.path / f"results/tiny/resume/{RUN}/state.safetensors")
    measures = study.path / LIBRARY / "metrics/measures.py"
    before = measures.read_text()
    measures.write_text(before + "\nassert 1 == 1\n")
    output, _ = working.communicate(timeout=240)
    assert working.returncode != 0 and "the code was changed after this job was planned" in output
    measures.write_text(before)
    assert study.plan()["measure"] >= 1


def test_code_that_is_edited_while_a_job_runs_fails_that_job(study):
    study.edit("config.yaml", "digits-vgg11-mse: {}", "digits-vgg11-mse: {learning_rate: 0.03, epochs: 200}")
    working = study.start("snakemake", "--cores", "1", "train")
    wait_for(study.path / f"results/tiny/resume/{RUN}/state.safetensors")
    networks = study.path / LIBRARY / "train/networks/vgg.py"
    before = networks.read_text()
    networks.write_text(before + "\nassert 1 == 1\n")
    output, _ = working.communicate(timeout=240)
    assert working.returncode != 0 and "the code was changed while this job ran; repeat the command." in output
    networks.write_text(before)
    assert study.plan("train") == {"train_network": 1}


def test_a_configuration_that_is_edited_while_a_job_waits_changes_no_job(study):
    study.edit("config.yaml", "digits-vgg11-mse: {}", "digits-vgg11-mse: {learning_rate: 0.03, epochs: 400}")
    working = study.start("snakemake", "--cores", "1", f"results/tiny/metrics/{RUN}.csv")
    wait_for(study.path / f"results/tiny/resume/{RUN}/state.safetensors")
    study.edit("config.yaml", "learning_rate: 0.03,", "learning_rate: 0.03, weight_decay: 0.01,")
    output, _ = working.communicate(timeout=240)
    assert working.returncode == 0, output
    study.edit("config.yaml", "learning_rate: 0.03, weight_decay: 0.01,", "learning_rate: 0.03,")
    assert study.plan(f"results/tiny/metrics/{RUN}.csv") == {}


def wait_for(path, seconds=120):
    for _ in range(10 * seconds):
        if path.exists():
            return
        time.sleep(0.1)
    raise AssertionError(f"{path} did not come")


def test_two_branches_that_retrained_another_run_each_end_current(study):
    def branch(name, old, new):
        study.run("git", "checkout", "-qb", name, "main")
        study.edit("config.yaml", old, new)
        study.run("dvc", "checkout", "--force")
        study.run("dvc", "repro")
        study.commit(name)

    branch("ours", "digits-vgg11-ce: {learning_rate: 0.02}", "digits-vgg11-ce: {learning_rate: 0.03}")
    branch("theirs", "digits-resnet18-mse: {}", "digits-resnet18-mse: {learning_rate: 0.03}")
    study.run("git", "checkout", "-q", "ours")
    study.run("dvc", "checkout", "--force")
    study.run("git", "merge", "theirs", fails=True)
    study.run("git", "checkout", "--ours", "config.yaml")
    study.edit("config.yaml", "digits-resnet18-mse: {}", "digits-resnet18-mse: {learning_rate: 0.03}")
    assert "git checkout --ours" in study.run("snakemake", "-n", fails=True)
    conflicts = study.run("git", "diff", "--name-only", "--diff-filter=U").split()
    study.run("git", "checkout", "--ours", *(file for file in conflicts if file != "config.yaml"))
    study.run("git", "add", "-A")
    assert "or delete what differs" in study.run("snakemake", "-n", fails=True)
    for layer in ("checkpoints", "features"):  # as the page has it: DVC's cache keeps what it was given
        shutil.rmtree(study.path / "results/tiny" / layer)
    study.run("dvc", "repro")
    assert study.plan() == {} and "up to date" in study.run("dvc", "status")


def test_results_checked_out_of_another_branch_are_not_taken_for_this_ones(study):
    study.run("git", "checkout", "-qb", "other")
    study.edit("config.yaml", "digits-vgg11-mse: {}", "digits-vgg11-mse: {learning_rate: 0.03}")
    study.run("snakemake", "--cores", "2")
    study.run("dvc", "repro")
    study.commit("other")
    study.run("git", "checkout", "-q", "main")
    study.run("dvc", "checkout", "--force")
    study.run("git", "checkout", "other", "--", "results/tiny/metrics", "results/tiny/provenance/metrics.json")
    assert study.plan()["measure"] == 1
    study.run("snakemake", "--cores", "2")
    assert study.run("git", "diff", "main", "--stat", "--", "results/tiny/metrics", "results/tiny/figures") == ""


def test_a_card_edited_by_hand_comes_back_and_trains_nothing(study):
    card = study.path / "results/tiny/datasets/digits.json"
    trained, before = study.state_of("results/tiny/checkpoints"), card.read_bytes()
    card.write_bytes(before.replace(b"20", b"21", 1))
    study.run("snakemake", "--cores", "2")
    assert card.read_bytes() == before and study.state_of("results/tiny/checkpoints") == trained


def test_lost_records_of_snakemake_come_back_from_git(study):
    study.run("snakemake", "--cleanup-metadata", *sorted(map(str, study.state_of("results/tiny/figures"))))
    assert study.plan() == {}


def test_a_change_that_changes_nothing_is_accepted_with_a_reason(study):
    with open(study.path / LIBRARY / "train/networks/vgg.py", "a") as file:
        file.write("\nassert True\n")
    assert study.plan("train") == {"train_network": 2}
    assert "accept=WHY" in study.run("snakemake", "--touch", "--cores", "1", "train", fails=True)
    study.run("snakemake", "--touch", "--cores", "1", "train", "--config", "accept=an assertion that always holds")
    assert study.plan("train") == {}
    assert "an assertion that always holds" in (study.path / "results/tiny/provenance/train.json").read_text()


def test_a_preparation_is_accepted_where_the_images_are_absent(study):
    shutil.rmtree(study.path / "results/tiny/data")
    with open(study.path / LIBRARY / "data/preparation.py", "a") as file:
        file.write("\nassert True\n")
    assert study.plan("results/tiny/datasets/digits.json") == {"prepare_dataset": 1}
    study.run("snakemake", "--touch", "--cores", "1", "data", "--config", "accept=an assertion that always holds")
    assert study.plan("metrics", "figures") == {}
    assert not list((study.path / "results/tiny/data").glob("*.safetensors"))


def test_the_order_of_runs_and_settings_makes_nothing_stale(study):
    def turned(value):
        return {key: turned(value[key]) for key in reversed(value)} if isinstance(value, dict) else value

    config = study.path / "config.yaml"
    config.write_text(yaml.safe_dump(turned(yaml.safe_load(config.read_text())), sort_keys=False))
    assert study.plan() == {}
    assert "up to date" in study.run("dvc", "status")


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


def test_absent_heavy_files_and_a_deleted_table_concern_what_needs_them_alone(study):
    for folder in ("data", "checkpoints", "features"):
        shutil.rmtree(study.path / "results/tiny" / folder)
    assert study.plan("metrics", "theory", "figures") == {}
    (study.path / "results/tiny/tables/table-1.csv").unlink()
    assert study.plan("figures") == {"table": 1}


def test_trained_weights_are_followed_by_their_content_and_path(study):
    from neural_collapse.vision import torchvision

    network = "shufflenet_v2_x0_5"
    target = f"results/tiny/checkpoints/mine-{network}-ce-seed0/history.csv"

    def write(seed, name="my.pth"):
        torch.manual_seed(seed)
        torch.save(torchvision.models.get_model(network, num_classes=3).state_dict(), study.path / name)

    generator = np.random.default_rng(0)
    split = {"images": generator.integers(0, 256, (30, 32, 32, 3), dtype=np.uint8), "labels": np.arange(30) % 3}
    arrays = {f"{name}_{key}": value for name in ("train", "test") for key, value in split.items()}
    np.savez(study.path / "mine.npz", **arrays)
    write(seed=0)
    write(seed=0, name="moved.pth")
    options = f"      {network}: {{weights: my.pth}}\n"
    study.edit("config.yaml", "      digits: {", "      mine: {source: arrays, path: mine.npz}\n      digits: {")
    study.edit("config.yaml", "(?=      vgg11: )", options)
    study.edit("config.yaml", "(?=      digits-vgg11-mse)", f"      mine-{network}-ce: {{batch_size: 10}}\n")
    study.run("snakemake", "--cores", "1", target)
    assert study.plan(target) == {}
    study.edit("config.yaml", "weights: my", "weights: moved")
    assert study.plan(target) == {"train_network": 1}
    study.edit("config.yaml", "weights: moved", "weights: my")
    write(seed=1)
    assert study.plan(target) == {"train_network": 1}
    (study.path / "my.pth").unlink()
    assert study.plan(target) == {}, "the record says which weights they were"


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
    study.run("dvc", "repro")
    study.commit("One run less")
    study.run("dvc", "repro")
    assert study.run("git", "status", "--porcelain") == "" and "up to date" in study.run("dvc", "status")
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
    for path in figure.parent.iterdir():
        path.unlink()
    assert clone.plan("figures") == {"figure": 4}


def test_a_clone_trains_the_run_whose_learning_rate_was_edited_and_no_other(clone):
    clone.edit("config.yaml", "digits-vgg11-ce: {learning_rate: 0.02}", "digits-vgg11-ce: {learning_rate: 0.03}")
    once = ("train_network", "extract_features", "attack", "measure", "portrait", "list_runs", "claims")
    one_run = dict.fromkeys(once, 1) | {"figure": 3}
    assert clone.plan("figures") == one_run
    resume = clone.path / "results/tiny/resume"
    (resume / RUN).mkdir(parents=True)  # of another training, that was killed
    clone.run("snakemake", "--cores", "2", "figures")
    assert clone.plan("figures") == {}
    assert [path.name for path in resume.iterdir()] == [RUN], "a finished training leaves nothing to continue"


def test_a_clone_trains_nothing_for_images_that_come_out_as_they_were(clone):
    clone.edit("workflow/neural_collapse/data/sources/digits.py", "    return Raw", "    assert True\n    return Raw")
    (clone.path / "results/tiny/figures/figure-02.pdf").unlink()  # which is to be drawn whatever the images are
    output = clone.run("snakemake", "--cores", "2", "metrics", "figures")
    jobs = [job for job in re.findall(r"^\[\d+/\d+\] (.+?): \d+ s", output, re.M) if not job.startswith("The layer")]
    assert jobs == ["Prepare the images of digits", "Draw figure-02"]
    assert clone.plan("metrics", "figures") == {}


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
    assert study.run("git", "show", "--stat", "--format=", "HEAD").count("dvc.lock") == 2
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
    assert jobs == {"prepare_dataset": 1, "train_network": 3, "extract_features": 3, "measure": 3, "figure": 1}
