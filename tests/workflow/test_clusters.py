"""Jobs that run elsewhere: what they ask for, what a head that dies leaves, and the workflow as another one's module.

Slurm's commands are stand-ins here; tests/slurm runs the real ones.
"""

import json
import os
import re
import shutil
import stat

import numpy as np
import pytest
from conftest import ROOT, TINY, jobs_in, wait_until

pytestmark = pytest.mark.xdist_group("workflow")

LIBRARY = "workflow/neural_collapse"
RUN = "digits-vgg11-mse-seed0"
# Submits a job as a process of its own, which survives whoever submitted it.
SUBMIT = "#!/bin/bash\nsetsid bash $1 > $1.log 2>&1 < /dev/null & echo $! | tee -a submitted\n"
RECORD = '#!/bin/bash\necho "$*" >> submitted\nexit 1\n'


def program(study, name, text):
    """Put a program on the path of a study's commands."""
    folder = study.path / "stand-ins"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    (folder / name).chmod((folder / name).stat().st_mode | stat.S_IXUSR)
    return os.pathsep.join([str(folder), study.environment()["PATH"]])


def on_a_cluster(study, *targets, submit=SUBMIT):
    """A command that runs a study's jobs by cluster-generic and a shell in the background."""
    program(study, "submit", submit)
    return [
        *("snakemake", "--executor", "cluster-generic", "--cluster-generic-submit-cmd", "stand-ins/submit"),
        *("--jobs", "4", "--seconds-between-status-checks", "1", "--latency-wait", "20", "--", *targets),
    ]


def entry(study, layer, output):
    """The entry of a file, but for what else its job made."""
    jobs = json.loads((study.path / f"results/tiny/provenance/{layer}.json").read_text())["jobs"]
    return next(job for job in jobs if output in job["outputs"])


def test_every_gpu_job_asks_for_its_gpu_memory_and_time_on_a_host_without_one(study):
    study.edit("config.yaml", "digits-vgg11-ce: .*", "digits-vgg11-ce: {learning_rate: sweep}")
    study.edit("config.yaml", "    attack:", "    sweep: {count: 2}\n    attack:")
    study.edit("config.yaml", "digits-vgg11-mse: {}", "digits-vgg11-mse: {epochs: 3}")
    for file in ("features", "robustness"):
        for path in (study.path / f"results/tiny/{file}").glob("digits-resnet18-mse*"):
            path.unlink()
    path = program(study, "sbatch", RECORD)
    for other in ("squeue", "sacct", "sinfo", "sacctmgr", "scontrol", "scancel"):
        program(study, other, "#!/bin/bash\n")
    # fmt: off
    study.run("snakemake", "--executor", "slurm", "--jobs", "8", "--slurm-no-account",
              "--slurm-status-command", "squeue",
              "--default-resources", "slurm_partition=x", "mem_mb=1000", "runtime=10", fails=True, PATH=path)
    # fmt: on
    asked = (study.path / "submitted").read_text().splitlines()
    for rule, jobs in {"train_network": 1, "try_learning_rate": 2, "extract_features": 1, "attack": 1}.items():
        of_rule = [line for line in asked if f"rule_{rule}" in line]
        assert len(of_rule) == jobs, asked
        for line in of_rule:
            assert "--gpus=1" in line and "-t 30" in line, line
            assert 4000 <= int(re.search(r"--mem (\d+)", line)[1]) < 4200, line
    assert not [line for line in asked if "prepare_dataset" in line and "--gpus" in line]


EDITED_IN_THE_QUEUE = """#!/bin/bash
cp {file} kept
{edit}
bash $1 > $1.log 2>&1
cp kept {file}
echo 1
"""
MODELS = """
from torch import nn


def small(in_channels, num_classes, image_size):
    return nn.Sequential(nn.Flatten(), nn.Linear(in_channels * image_size**2, num_classes))
"""


@pytest.mark.parametrize(
    "file, edit, target, changed",
    [
        (f"{LIBRARY}/data/preparation.py", "echo 'assert True' >> {file}", "datasets/mine.json", "the code"),
        ("mine.npz", "cp other.npz {file}", "datasets/mine.json", "mine.npz:"),
        ("models.py", "echo 'assert True' >> {file}", "checkpoints/mine-small-ce-seed0/history.csv", "models"),
    ],
)
def test_what_is_edited_while_a_job_is_queued_and_put_back_fails_the_job(clone, file, edit, target, changed):
    """The job's process reads the workflow anew, when the edit is there to be taken for the plan."""
    (clone.path / "models.py").write_text(MODELS)
    for seed, name in enumerate(("mine", "other")):
        images = np.random.default_rng(seed).integers(0, 256, (30, 8, 8), dtype=np.uint8)
        split = {"images": images, "labels": np.arange(30) % 3}
        arrays = {f"{of}_{key}": value for of in ("train", "test") for key, value in split.items()}
        np.savez(clone.path / name, **arrays)
    clone.edit("config.yaml", "      digits: {", "      mine: {source: arrays, path: mine.npz}\n      digits: {")
    clone.edit("config.yaml", "(?=      vgg11: )", '      small: {source: "models:small"}\n')
    clone.edit("config.yaml", "(?=      digits-vgg11-mse)", "      mine-small-ce: {batch_size: 10}\n")
    submit = EDITED_IN_THE_QUEUE.format(file=file, edit=edit.format(file=file))
    clone.run(*on_a_cluster(clone, f"results/tiny/{target}", submit=submit), fails=True)
    logs = "".join(path.read_text() for path in (clone.path / "logs/tiny").rglob("mine*.log"))
    assert f"error: {changed}" in logs and "was changed after this" in logs and "Traceback" not in logs
    assert clone.plan(f"results/tiny/{target}") != {}
    clone.run("snakemake", "--cores", "1", f"results/tiny/{target}")
    assert clone.plan(f"results/tiny/{target}") == {}


def test_a_cluster_makes_the_same_bytes_and_provenance(fresh, completed, clone):
    for folder in ("results", ".dvc/cache"):
        clone.run("rm", "-rf", folder)
    clone.edit("config.yaml", "study: tiny", "gpu_jobs: 0\nstudy: tiny")
    summary = f"results/tiny/summary/{RUN}.json"
    clone.run(*on_a_cluster(clone, summary))
    assert len((clone.path / "submitted").read_text().splitlines()) == 6
    made = clone.state_of()
    expected = completed.state_of()
    assert summary in made and len(made) > 10
    for name, (_, content) in made.items():
        assert "/provenance/" in name or content == expected[name][1], name
    for layer, output in {"metrics": summary, "train": f"results/tiny/checkpoints/{RUN}/history.csv"}.items():
        assert entry(clone, layer, output) == entry(completed, layer, output)
    assert clone.plan(summary) == {}


def test_what_ended_after_its_head_was_killed_is_taken_over(study):
    simulated = study.path / "results/tiny/theory/small.csv"
    before = simulated.read_bytes()
    simulated.unlink()
    snakemake = study.start(*on_a_cluster(study, "results/tiny/theory/small.csv"))
    wait_until(lambda: (study.path / "submitted").exists() or snakemake.poll() is not None)
    snakemake.kill()
    snakemake.wait()
    wait_until(lambda: list((study.path / ".snakemake").glob("tmp.*/*.jobfinished")), seconds=180)
    assert simulated.read_bytes() == before
    output = study.run("snakemake", "--cores", "1", "results/tiny/theory/small.csv")
    assert "Nothing to be done" in output, output


def test_the_repeat_waits_for_what_slurm_still_runs(study):
    program(study, "submit", "#!/bin/bash\necho 17\n")
    (study.path / "results/tiny/theory/small.csv").unlink()
    snakemake = study.start(*on_a_cluster(study, "results/tiny/theory/small.csv"))
    program(study, "submit", "#!/bin/bash\ntouch submitted\necho 17\n")
    wait_until(lambda: any((study.path / ".snakemake/incomplete").glob("*")) or snakemake.poll() is not None)
    snakemake.kill()
    snakemake.wait()
    if shutil.which("squeue") is None:
        warned = study.run("snakemake", "--cores", "1", "results/tiny/tables/table-1.md")
        assert "warning: the scheduler's job 17 had not ended" in warned
    path = program(study, "squeue", "#!/bin/bash\ntest -e asked || echo 17\ntouch asked\n")
    output = study.run("snakemake", "--cores", "1", "results/tiny/theory/small.csv", PATH=path)
    assert "waiting for Slurm's job 17" in output and (study.path / "results/tiny/theory/small.csv").exists()


def test_a_storage_provider_is_refused_in_one_sentence(fresh, tmp_path):
    pytest.importorskip("snakemake_storage_plugin_fs")
    provider = ["--default-storage-provider", "fs", "--default-storage-prefix", str(tmp_path)]
    message = fresh.run("snakemake", "-n", *provider, fails=True)
    assert "error: --default-storage-provider: results, records" in message and "Traceback" not in message


OUTER = """
configfile: "settings.yaml"

module neural_collapse:
    snakefile: "{repository}/Snakefile"
    config: config
    prefix: "inner"

use rule * from neural_collapse as inner_*

rule mine:
    default_target: True
    input: "inner/results/tiny/theory/small.csv"
    output: "mine.txt"
    shell: "wc -l {{input}} > {{output}}"
"""


def test_another_workflow_uses_this_one_as_a_module(fresh, completed, tmp_path):
    (tmp_path / "Snakefile").write_text(OUTER.format(repository=fresh.path))
    (tmp_path / "settings.yaml").write_text(TINY)
    command = ["env", f"--chdir={tmp_path}", "snakemake", "--profile", str(ROOT / "profiles/default")]
    planned = fresh.run(*command, "-n", f"inner/results/tiny/summary/{RUN}.json")
    assert re.search(r"^inner_train_network +1$", planned, re.M), planned
    planned = fresh.run(*command, "-n", "mine", "inner_figure-07", "inner_report", "inner_figures")
    assert re.search(r"^inner_figure +4$", planned, re.M), planned
    fresh.run(*command, "--cores", "1")
    made = (tmp_path / "inner/results/tiny/theory/small.csv").read_bytes()
    assert made == (completed.path / "results/tiny/theory/small.csv").read_bytes()
    assert (tmp_path / "mine.txt").exists()
    assert "small.csv" in (tmp_path / "inner/results/tiny/provenance/theory.json").read_text()
    assert "Nothing to be done" in fresh.run(*command, "-n")


def test_training_on_cpus_what_takes_a_gpu_hours_is_said_first(study):
    study.edit("config.yaml", "vgg11: {width: 0.0625}", "vgg11: {width: 2}")
    study.edit("config.yaml", "digits-vgg11-mse: {}", "digits-vgg11-mse: {epochs: 1000000}")
    snakemake = study.start("snakemake", "--cores", "1", f"results/tiny/checkpoints/{RUN}/history.csv")
    warned = next((line for line in snakemake.stdout if line.startswith("warning:")), "")
    wait_until(lambda: jobs_in(study.path))
    snakemake.kill()
    snakemake.wait()
    assert re.match(r"warning: training of \d+ GPU-hours by the plan is about to run on CPUs, ", warned)
    wait_until(lambda: not jobs_in(study.path))
