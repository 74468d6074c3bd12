"""A run made without Snakemake: its files are those of the steps, it goes on where it was, and its refusals."""

import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import run_step

from neural_collapse.__main__ import main as neural_collapse
from neural_collapse.storage import read_json

RUN = "digits-vgg11-mse-seed0"
CONFIG = """\
study: small
studies:
  small:
    measured_epochs: 2
    datasets:
      digits: {train_per_class: 20}
    networks:
      vgg11: {width: 0.0625}
    training: {epochs: 3, batch_size: 50, learning_rate: 0.02, learning_rate_drops: [2], precision: float32}
    runs:
      digits-vgg11-mse: {}
      digits-vgg11-ce: {learning_rate: sweep}
    attack: {images: 4, iterations: 2, epochs: 1}
"""


@pytest.fixture
def protocol(tmp_path, monkeypatch):
    """The script, in a folder with a study, each of its jobs in this process; returns its exit status."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    import paper_protocol

    def in_this_process(module, *arguments, **streams):
        done.append(arguments[arguments.index("--") + 1])
        monkeypatch.setattr(sys, "argv", [module, *arguments])
        return SimpleNamespace(returncode=run_step.main())

    def call(*arguments):
        done.clear()
        monkeypatch.setattr(sys, "argv", ["paper_protocol.py", *arguments])
        return paper_protocol.main()

    done = call.done = []
    monkeypatch.setattr(paper_protocol, "python", in_this_process)
    monkeypatch.setattr(os, "getppid", os.getpid)  # the script is the parent of its jobs
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text(CONFIG)
    return call


STEPS = ["prepare-dataset", "train", "extract-features", "measure-run", "attack", "summarise"]


def test_its_files_are_what_the_steps_write_and_it_goes_on_where_it_was(protocol, capfd):
    assert protocol("digits-vgg11-mse", "--study", "small") == 0
    assert protocol.done == STEPS
    name, checkpoints = "--dataset digits --network vgg11 --loss mse --seed 0", "c/00.safetensors c/01.safetensors"
    for command in (
        "prepare-dataset --name digits --source digits --train-per-class 20 --padding 0 --seed 0 --output d",
        "train --data d --network vgg11 --network-options width=0.0625 --loss mse --seed 0 --epochs 3 --batch-size 50 "
        "--learning-rate 0.02 --learning-rate-drops 2 --warmup-epochs 0 --momentum 0.9 --weight-decay 0.0005 "
        "--precision float32 --threads 1 --measured-epochs 2 --checkpoints c --history h --resume r --code-version x",
        f"extract-features --data d --checkpoints {checkpoints} --loss mse --seed 0 --threads 1 --batch-statistics 50 "
        "--output f",
        f"measure-run f {name} --weight-decay 0.0005 --output metrics.csv",
        f"attack --data d --checkpoints {checkpoints} {name} --images 4 --iterations 2 --overshoot 0.02 --epochs 1 "
        "--threads 1 --output robustness.csv",
        "summarise metrics.csv robustness.csv --output summary.json",
    ):
        assert neural_collapse(command.split()) == 0
    for ours, theirs in {
        f"metrics/{RUN}.csv": "metrics.csv",
        f"robustness/{RUN}.csv": "robustness.csv",
        f"summary/{RUN}.json": "summary.json",
        f"features/{RUN}.safetensors": "f",
        f"checkpoints/{RUN}/01.safetensors": "c/01.safetensors",
        f"checkpoints/{RUN}/history.csv": "h",
    }.items():
        assert Path("results/small", ours).read_bytes() == Path(theirs).read_bytes(), ours

    assert protocol("digits-vgg11-mse", "--study", "small") == 0 and protocol.done == []
    assert protocol("digits-vgg11-mse", "--study", "small", "--check") == 0
    Path("config.yaml").write_text(CONFIG.replace("iterations: 2", "iterations: 1"))
    capfd.readouterr()
    assert protocol("digits-vgg11-mse", "--study", "small", "--check") == 1
    printed = capfd.readouterr().out.splitlines()
    assert [line for line in printed if "as it would be made here" not in line] == [
        "attack: it was told `--iterations 2`, and would be told `--iterations 1` here"
    ]
    assert protocol("digits-vgg11-mse", "--study", "small") == 0 and protocol.done[0] == "attack"
    Path(f"results/small/checkpoints/{RUN}/00.safetensors").unlink()
    assert protocol("digits-vgg11-mse", "--study", "small") == 0
    assert protocol.done == ["train"], "the same bytes come out, so that what reads them stays"


def test_a_failed_step_is_one_sentence_and_leaves_no_receipt(protocol, capfd, monkeypatch):
    Path("config.yaml").write_text(CONFIG.replace("learning_rate: 0.02", "learning_rate: 1e30"))
    assert protocol("digits-vgg11-mse", "--study", "small") == 1
    assert protocol.done == ["prepare-dataset", "train"]
    error = capfd.readouterr().err
    assert "error: train failed; logs/small/train/digits-vgg11-mse-seed0.log" in error
    receipts = [read_json(path, "") for path in Path(".snakemake/receipts").glob("*.json")]
    assert [path for receipt in receipts for path in receipt["outputs"] if "checkpoints" in path] == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["digits-vgg12-mse"], r"study small: no run named 'digits-vgg12-mse' \(did you mean 'digits-vgg11-mse'\?\)"),
        (["digits-vgg11-mse", "--seed", "7"], "--seed: digits-vgg11-mse has the seeds 0 in study small, not 7"),
        (["digits-vgg11-ce"], r"that of a sweep, and results/small/sweep/digits-vgg11-ce\.json is not here; bring"),
        (["digits-vgg11-mse", "--study", "smal"], "no study named 'smal'"),
    ],
)
def test_what_it_cannot_make_is_one_sentence(protocol, arguments, sentence, capsys):
    study = [] if "--study" in arguments else ["--study", "small"]
    assert protocol(*arguments, *study) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    assert re.search(sentence, error)
