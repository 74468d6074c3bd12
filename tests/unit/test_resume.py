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
from neural_collapse.data.dataset import write_dataset

LIBRARY = Path(neural_collapse.__file__).parents[1]
MEASURED = 5


@pytest.fixture(scope="module")
def processes():
    """Starts real processes within milliseconds: each is a fork of one that has imported everything and run nothing."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(LIBRARY), str(Path(__file__).parent)])
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        [
            *(f"neural_collapse.{name}" for name in ("steps.train", "steps.try_learning_rate", "networks.vgg")),
            "test_resume",
        ]
    )
    yield context
    os.environ.pop("PYTHONPATH") if before is None else os.environ.__setitem__("PYTHONPATH", before)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "squares.safetensors"
    write_dataset(path, tiny_training.dataset())
    return path


@pytest.fixture(scope="module")
def uninterrupted(data, tmp_path_factory):
    """The files of one whole training."""
    folder = tmp_path_factory.mktemp("whole")
    assert main(command(data, folder)) == 0
    return results(folder)


def command(data, folder, step="train", code_version="1", **changed):
    settings = tiny_training.settings(**{"epochs": 25, "learning_rate_drops": [8, 16]} | changed)
    outputs = {
        "train": [
            *("--checkpoints", str(folder / "results"), "--history", str(folder / "results/history.csv")),
            *("--measured-epochs", str(MEASURED)),
        ],
        "try-learning-rate": ["--output", str(folder / "results/rate.csv")],
    }
    return [
        *(step, "--data", str(data), *tiny_training.flags(settings), "--threads", "1", *outputs[step]),
        *("--resume", str(folder / "resume/run"), "--code-version", code_version),
    ]


def run(arguments, log):
    """The process: the step itself, as `python -m neural_collapse` runs it."""
    with open(log, "a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        status = main(arguments)
    os._exit(status)


def results(folder):
    return {path.name: path.read_bytes() for path in sorted((folder / "results").iterdir())}


def assert_only_whole_files(folder):
    for path in folder.rglob("[!.]*"):
        if path.suffix == ".safetensors":
            with safe_open(path, framework="numpy") as file:
                assert file.keys()
        if path.suffix == ".csv":
            assert len(list(csv.reader(path.open()))) == 26


def starts_that_lose_no_finished_epoch(log):
    """How many epochs were done at every start: at least those that the killed training before it had logged."""
    logged = 0
    starts = []
    for line in log.read_text().splitlines():
        if start := re.match("([0-9]+) of 25 epochs are done", line):
            starts.append(int(start[1]))
            assert starts[-1] >= logged
        elif epoch := re.match("epoch ([0-9]+)/25:", line):
            logged = int(epoch[1])
    assert starts[0] == 0
    return starts


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.parametrize("step", ["train", "try-learning-rate"])
def test_a_training_killed_at_ten_random_moments_gives_the_same_bytes(processes, step, data, tmp_path):
    start = time.monotonic()
    assert main(command(data, tmp_path / "whole", step)) == 0
    seconds = time.monotonic() - start
    expected = results(tmp_path / "whole")

    delays = random.Random(0)
    kills = finished = 0
    while kills < 10:
        folder = tmp_path / str(finished)
        folder.mkdir(exist_ok=True)
        process = processes.Process(target=run, args=(command(data, folder, step), folder / "log"))
        process.start()
        process.join(delays.uniform(0, seconds))
        process.kill()
        process.join()
        assert_only_whole_files(folder)
        if process.exitcode == 0:
            assert results(folder) == expected
            finished += 1
        kills += process.exitcode == -signal.SIGKILL
        # As Snakemake does with the declared outputs of a job that failed or is about to run again.
        shutil.rmtree(folder / "results", ignore_errors=True)
    process = processes.Process(target=run, args=(command(data, folder, step), folder / "log"))
    process.start()
    process.join()
    assert results(folder) == expected
    starts = [starts_that_lose_no_finished_epoch(log) for log in tmp_path.glob("*/log")]
    assert max(map(max, starts)) > 0


def test_a_complete_training_whose_results_are_lost_gives_them_again(data, uninterrupted, tmp_path, capfd):
    assert main(command(data, tmp_path)) == 0
    shutil.rmtree(tmp_path / "results")
    capfd.readouterr()
    assert main(command(data, tmp_path)) == 0
    assert capfd.readouterr().out.startswith("25 of 25 epochs are done")
    assert results(tmp_path) == uninterrupted


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
    assert not (half_way / "results").exists()
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
    assert results(half_way) == uninterrupted


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
            ["sh", "-c", '"$@" --stop-with-parent $$ & wait', "sh", *arguments],
            stdout=log,
            stderr=log,
            env=os.environ | {"PYTHONPATH": str(LIBRARY)},
        )
    wait_for(lambda: (tmp_path / "resume/run/state.safetensors").exists())
    parent.kill()
    parent.wait()
    wait_for(lambda: "the process that started this one is gone" in (tmp_path / "log").read_text())


def test_a_training_whose_parent_was_gone_before_it_began_stops_at_once(data, tmp_path, capfd):
    assert main([*command(data, tmp_path), "--stop-with-parent", str(os.getpid())]) == 1
    assert capfd.readouterr() == ("", "error: stopped, because the process that started this one is gone.\n")
