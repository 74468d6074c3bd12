"""Trainings killed at any moment, and continued to the same bytes."""

import csv
import multiprocessing
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tiny_training
from safetensors import safe_open

import neural_collapse
from neural_collapse.__main__ import main
from neural_collapse.datasets import write_dataset

LIBRARY = Path(neural_collapse.__file__).parents[1]
MEASURED = 5


@pytest.fixture(scope="module")
def processes():
    """Starts real processes within milliseconds: each is a fork of one that has imported everything and run nothing."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(LIBRARY), str(Path(__file__).parent)])
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["neural_collapse.steps.train", "neural_collapse.networks.vgg", "test_resume"])
    yield context
    os.environ.pop("PYTHONPATH") if before is None else os.environ.__setitem__("PYTHONPATH", before)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "squares.safetensors"
    write_dataset(path, tiny_training.dataset())
    return path


@pytest.fixture(scope="module")
def uninterrupted(data, tmp_path_factory):
    """The files of one whole training, and the seconds that it took."""
    folder = tmp_path_factory.mktemp("whole")
    start = time.monotonic()
    assert main(command(data, folder)) == 0
    return results(folder), time.monotonic() - start


def command(data, folder, code_version="1", **changed):
    settings = tiny_training.settings(**{"epochs": 25, "learning_rate_drops": [8, 16]} | changed)
    return [
        *("train", "--data", str(data), *tiny_training.flags(settings), "--threads", "1"),
        *("--measured-epochs", str(MEASURED), "--code-version", code_version, "--stop-with-parent"),
        *("--checkpoints", str(folder / "checkpoints"), "--history", str(folder / "checkpoints/history.csv")),
        *("--resume", str(folder / "resume/run")),
    ]


def run(arguments, log):
    """The process: the step itself, as `python -m neural_collapse` runs it."""
    with open(log, "a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        status = main(arguments)
    os._exit(status)


def results(folder):
    return {path.name: path.read_bytes() for path in sorted((folder / "checkpoints").iterdir())}


def assert_only_whole_files(folder):
    for path in folder.rglob("[!.]*"):
        if path.suffix == ".safetensors":
            with safe_open(path, framework="numpy") as file:
                assert file.keys()
        if path.suffix == ".csv":
            assert len(list(csv.reader(path.open()))) == 26


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_training_killed_at_ten_random_moments_gives_the_same_bytes(processes, data, uninterrupted, tmp_path):
    expected, seconds = uninterrupted
    delays = random.Random(0)
    kills = 0
    while kills < 10:
        process = processes.Process(target=run, args=(command(data, tmp_path), tmp_path / "log"))
        process.start()
        process.join(delays.uniform(0, seconds))
        process.kill()
        process.join()
        assert_only_whole_files(tmp_path)
        if process.exitcode == 0:
            assert results(tmp_path) == expected
        kills += process.exitcode == -signal.SIGKILL
        # As Snakemake does with the declared outputs of a job that failed or is about to run again.
        shutil.rmtree(tmp_path / "checkpoints", ignore_errors=True)
    assert main(command(data, tmp_path)) == 0
    assert results(tmp_path) == expected
    assert re.search("^[1-9][0-9]* of 25 epochs are done", (tmp_path / "log").read_text(), re.MULTILINE)
    assert not (tmp_path / "resume/run").exists()


@pytest.fixture
def half_way(processes, data, tmp_path):
    """The folder of a training that was stopped by SIGTERM."""
    process = processes.Process(target=run, args=(command(data, tmp_path, epochs=25), tmp_path / "log"))
    process.start()
    wait_for(lambda: (tmp_path / "resume/run/02.safetensors").exists())
    process.terminate()
    process.join()
    assert process.exitcode == 1
    return tmp_path


def test_sigterm_stops_with_one_sentence_and_no_half_files(half_way):
    first, *epochs, last = (half_way / "log").read_text().splitlines()
    assert first.startswith("0 of 25 epochs are done; training on c")
    assert last == "error: stopped by SIGTERM; repeat the command to go on."
    assert all(line.startswith("epoch ") for line in epochs)
    assert not (half_way / "checkpoints").exists()
    assert not list(half_way.rglob(".*"))


@pytest.mark.parametrize(
    ("changed", "named"),
    [({"learning_rate": 0.04}, "learning_rate"), ({"seed": 1}, "seed"), ({"code_version": "2"}, "code_version")],
)
def test_another_training_starts_afresh(half_way, data, changed, named, tmp_path, capfd):
    assert main(command(data, half_way, **changed)) == 0
    assert f"starting afresh; its state does not fit: {named}.\n0 of 25 epochs are done" in capfd.readouterr().out
    (tmp_path / "new").mkdir()
    assert main(command(data, tmp_path / "new", **changed)) == 0
    assert results(half_way) == results(tmp_path / "new")


def test_other_data_starts_afresh(half_way, tmp_path, capfd):
    write_dataset(tmp_path / "other.safetensors", tiny_training.dataset(seed=1))
    assert main(command(tmp_path / "other.safetensors", half_way)) == 0
    assert "does not fit: data." in capfd.readouterr().out


def test_a_state_without_its_checkpoints_is_not_continued(half_way, data, uninterrupted, capfd):
    (half_way / "resume/run/01.safetensors").unlink()
    assert main(command(data, half_way)) == 0
    assert "does not fit: checkpoints are missing." in capfd.readouterr().out
    assert results(half_way) == uninterrupted[0]


def test_a_second_training_of_the_same_run_is_refused(processes, data, tmp_path, capfd):
    process = processes.Process(target=run, args=(command(data, tmp_path, epochs=10**6), tmp_path / "log"))
    process.start()
    wait_for(lambda: (tmp_path / "resume/run/state.safetensors").exists())
    assert main(command(data, tmp_path)) == 1
    process.kill()
    process.join()
    folder = tmp_path / "resume/run"
    assert capfd.readouterr().err == (
        f"error: {folder}: another training is at work in this folder; wait for it, or stop it.\n"
    )
    assert main(command(data, tmp_path)) == 0  # the lock died with its process


def test_the_training_of_a_killed_parent_stops(data, tmp_path):
    arguments = [sys.executable, "-m", "neural_collapse", *command(data, tmp_path, epochs=10**6)]
    with open(tmp_path / "log", "w") as log:
        parent = subprocess.Popen(
            ["sh", "-c", '"$@" & wait', "sh", *arguments],
            stdout=log,
            stderr=log,
            env=os.environ | {"PYTHONPATH": str(LIBRARY)},
        )
    wait_for(lambda: (tmp_path / "resume/run/state.safetensors").exists())
    parent.kill()
    parent.wait()
    wait_for(lambda: "the process that started this training is gone" in (tmp_path / "log").read_text())
