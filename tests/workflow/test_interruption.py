"""A killed Snakemake leaves no long job behind and is continued by the same command; two at once do no damage."""

import os
import re
import signal
import subprocess

import pytest
from conftest import jobs_in, wait_until

pytestmark = pytest.mark.xdist_group("workflow")

RUN = "digits-vgg11-mse-seed0"
CHECKPOINTS = f"results/tiny/checkpoints/{RUN}"


@pytest.fixture
def long_study(study):
    """The tiny study with one run made long enough to be interrupted."""
    study.edit("config.yaml", "digits-vgg11-mse: {}", "digits-vgg11-mse: {epochs: 120}")
    return study


def start_training(study):
    """Start Snakemake and wait until the training has an epoch behind it."""
    snakemake = study.start("snakemake", "--cores", "1", "train")
    state = study.path / f"results/tiny/resume/{RUN}/state.safetensors"
    wait_until(lambda: state.exists() or snakemake.poll() is not None)
    assert snakemake.poll() is None, snakemake.communicate()[0]
    return snakemake


def test_a_killed_snakemake_leaves_no_training_behind_and_the_same_command_goes_on(long_study):
    uninterrupted = long_study.run("snakemake", "--cores", "1", "train")
    assert "Error" not in uninterrupted
    expected = long_study.state_of(CHECKPOINTS)
    for path in (long_study.path / CHECKPOINTS).iterdir():
        path.unlink()

    snakemake = start_training(long_study)
    snakemake.kill()
    snakemake.wait()
    wait_until(lambda: not jobs_in(long_study.path))
    assert not list((long_study.path / CHECKPOINTS).glob("*")), "a half-finished training shows no file"

    long_study.run("snakemake", "--cores", "1", "train")
    log = (long_study.path / f"logs/tiny/train/{RUN}.log").read_text()
    assert re.search("^[1-9][0-9]* of 120 epochs are done", log, re.M), log
    found = long_study.state_of(CHECKPOINTS)
    assert {name: content for name, (_, content) in found.items()} == {n: c for n, (_, c) in expected.items()}
    assert long_study.plan("train") == {}


def test_a_terminated_snakemake_stops_its_training_and_an_edited_rate_starts_afresh(long_study):
    snakemake = start_training(long_study)
    os.killpg(snakemake.pid, signal.SIGTERM)
    snakemake.wait()
    wait_until(lambda: not jobs_in(long_study.path))
    long_study.edit("config.yaml", "epochs: 120", "epochs: 12, learning_rate: 0.03")
    long_study.run("snakemake", "--cores", "1", "train")
    log = (long_study.path / f"logs/tiny/train/{RUN}.log").read_text()
    assert "starting afresh" in log and re.search("^0 of 12 epochs are done", log, re.M), log


@pytest.mark.parametrize(
    "step, output", [("extract-features", f"features/{RUN}.safetensors"), ("attack", f"robustness/{RUN}.csv")]
)
def test_a_killed_snakemake_leaves_no_other_long_job_behind(study, step, output):
    file = study.path / "results/tiny" / output
    file.unlink()
    snakemake = study.start("snakemake", "--cores", "1", f"results/tiny/{output}")
    wait_until(lambda: jobs_in(study.path, step))
    snakemake.kill()
    snakemake.wait()
    wait_until(lambda: not jobs_in(study.path, step))
    assert not file.exists()
    assert study.plan(f"results/tiny/{output}") == {step.replace("-", "_"): 1}


def test_a_second_snakemake_stops_with_one_sentence(long_study):
    long_study.edit("config.yaml", "epochs: 120", "epochs: 400")
    first = start_training(long_study)
    before = long_study.state_of("results/tiny/metrics")
    assert long_study.plan("train") == {"train_network": 1}, "a dry run is no second one"
    assert RUN in long_study.run("snakemake", "--summary"), "nor is any other look"
    message = long_study.run("snakemake", "--cores", "1", fails=True)
    assert [line for line in message.splitlines() if "another Snakemake works in this folder" in line]
    assert "Traceback" not in message
    assert first.wait(timeout=120) == 0
    assert long_study.state_of("results/tiny/metrics") == before
    assert long_study.plan("train") == {}


@pytest.mark.parametrize(
    "file, old, new, sentence",
    [
        (
            "config.yaml",
            "study: tiny",
            "study: tinny",
            "error: config.yaml: study: no study named 'tinny' (did you mean 'tiny'?); known: tiny.",
        ),
        (
            "config.yaml",
            "study: tiny",
            "study: tiny\nstudy: tiny",
            "error: config.yaml: line 2: the key 'study' is there twice; keep one.",
        ),
        (
            "workflow/rules/records.py",
            "KNOWN_FORMAT = 6",
            "KNOWN_FORMAT = 5",
            "error: This Snakemake writes records of format 6, the workflow carries format 5: ",
        ),
    ],
)
def test_a_mistake_is_one_sentence(study, file, old, new, sentence):
    study.edit(file, old, new)
    finished = subprocess.run(
        ["snakemake", "-n"], cwd=study.path, env=study.environment(), capture_output=True, text=True
    )
    message = finished.stdout + finished.stderr
    assert finished.returncode == 1 and "Traceback" not in message
    assert sentence in message


@pytest.mark.parametrize(
    "target", ["figures/figure-77.pdf", "metrics/digits-vgg11-mse-seed5.csv", "theory/six.csv", "sweep/none/0.1.csv"]
)
def test_snakemake_knows_no_rule_for_what_the_study_does_not_have(fresh, target):
    message = fresh.run("snakemake", "-n", f"results/tiny/{target}", fails=True)
    assert "MissingRuleException" in message and "Traceback" not in message and "InputFunction" not in message, message
