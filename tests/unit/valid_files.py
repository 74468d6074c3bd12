"""One small, valid file of each kind that a command reads, and the commands that read them: a plugin of pytest."""

import contextlib
import io
import os
import shlex
import shutil
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import tiny_training
import torch
from PIL import Image

from neural_collapse.__main__ import main
from neural_collapse.data.dataset import write_dataset
from neural_collapse.storage import write_csv, write_json
from neural_collapse.theory.checks import Check
from neural_collapse.train.checkpoints import load_network

TRAINING = (
    "--data data.safetensors --network vgg11 --network-options width=0.0625 --loss mse --seed 0 --epochs 1 "
    "--batch-size 20 --learning-rate-drops --warmup-epochs 0 --momentum 0.9 --weight-decay 0.005 --precision float32 "
    "--threads 1 --resume work --code-version 1"
)
RUN = "--dataset squares --network vgg11 --loss mse --seed 0"
PREPARE = "--train-per-class 2 --padding 0 --seed 0 --name own --output out.safetensors --card out.json"

BROUGHT = "--config brought.yaml --study brought --run"

COMMANDS = {
    "train": f"train {TRAINING} --learning-rate 0.05 --measured-epochs 1 --checkpoints out --history out/history.csv",
    "try": f"try-learning-rate {TRAINING} --learning-rate 0.05 --output out.csv",
    "choose": "choose-learning-rate tried.csv --output out.json",
    "collect-sweep": "collect-sweep squares-vgg11-mse.json --output out.csv",
    "extract": "extract-features --data data.safetensors --checkpoints 00.safetensors --loss mse --seed 0 --threads 1 "
    "--output out.safetensors",
    "extract-outside": "extract-out-of-distribution --data data.safetensors --checkpoints 00.safetensors --outside "
    "others=data.safetensors --threads 1 --output out.safetensors",
    "measure-outside": f"measure-out-of-distribution outside.safetensors {RUN} --output out.csv",
    "measure": f"measure-run features.safetensors {RUN} --weight-decay 0.005 --output out.csv",
    "measure-own": "measure own.npz --json",
    "measure-pt": "measure own.pt --json",
    "measure-h5": "measure own.h5 --json",
    "measure-table": "measure own.csv --json",
    "measure-parquet": "measure own.parquet --json",
    "attack": f"attack --data data.safetensors --checkpoints 00.safetensors {RUN} --images 3 --iterations 2 "
    "--overshoot 0.02 --epochs all --threads 1 --output out.csv",
    "summarise": "summarise metrics.csv --output out.json",
    "collect": "collect metrics.csv --output out.csv --curves out-curves.csv",
    "figure": "figure --figure figure-02 --tables metrics.csv --pdf out.pdf --png out.png",
    "figure-of-systems": "figure --figure figure-central-path --tables system.csv --pdf out.pdf --png out.png",
    "figures": "figures metrics.csv --figure figure-07 --output out",
    "portrait": "portrait features.safetensors --output out.json",
    "figure-of-portraits": "figure --figure figure-portrait --tables squares-vgg11-mse-seed0.json --pdf out.pdf "
    "--png out.png",
    "table": "table --tables metrics.csv --csv out.csv --md out.md --html out.html",
    "claims": "claims --tables metrics.csv --cards card.json --checks checks.csv --output out.csv --html out.html",
    "report": "report metrics.csv --cards card.json --checks checks.csv --portraits squares-vgg11-mse-seed0.json "
    "--about {} --output out.html",
    "plan": "plan --config config.yaml --study small --tflops 20",
    "prepare-arrays": f"prepare-dataset --source arrays --path images.npz {PREPARE}",
    "expect": f"prepare-dataset --source arrays --path images.npz {PREPARE} --expect card.json".replace(
        " --card out.json", ""
    ),
    "prepare-folder": f"prepare-dataset --source folder --path images {PREPARE}",
    "resume": f"train {TRAINING} --learning-rate 0.05 --measured-epochs 1 --checkpoints out --history out/history.csv"
    " --resume half",
    "find": f"find-files {BROUGHT} digits-vgg11-mse-seed0 --output out.json",
    "take": f"take-checkpoints {BROUGHT} digits-vgg11-mse-seed0 --files weights.json --card squares.json "
    "--network vgg11 --network-options width=0.0625 --output out.safetensors",
    "measure-brought": f"measure-features {BROUGHT} wide-seed0 --files wide.json --dataset unknown --network wide "
    "--loss mse --seed 0 --weight-decay 0.005 --output out.csv",
    "simulate": "simulate-central-path --classes 3 --examples-per-class 4 --features 3 --spectrum 1 2 --horizon 0.01 "
    "--seed 0 --output out.csv",
}

CONFIG = """\
study: small
studies:
  small:
    measured_epochs: 3
    networks: {vgg11: {width: 0.0625}}
    runs:
      digits-vgg11-mse: {epochs: 9}
"""

OF_OTHERS = """\
study: brought
studies:
  brought:
    networks: {vgg11: {width: 0.0625}}
    runs:
      wide: {features: "brought/{epoch}.npz"}
      digits-vgg11-mse: {checkpoints: "brought/{epoch}.pt"}
"""


def call(command: str | list[str]) -> tuple[int, str]:
    """Run a command in this process, in this folder; its status and what it writes to stderr."""
    words = shlex.split(command) if isinstance(command, str) else command
    with contextlib.redirect_stderr(io.StringIO()) as errors, contextlib.redirect_stdout(io.StringIO()):
        try:
            status = main(words)
        except SystemExit as error:  # of argparse
            status = error.code
    return status, errors.getvalue()


def called(command: str) -> None:
    status, errors = call(command)
    assert status == 0, errors


def make_all() -> None:
    """Write them all into this folder: what commands make, by the commands."""
    write_dataset("data.safetensors", tiny_training.dataset())
    write_dataset("colour.safetensors", tiny_training.dataset(channels=3))
    called(COMMANDS["train"].replace("out/history.csv", "history.csv").replace("--checkpoints out", "--checkpoints ."))
    called(COMMANDS["extract"].replace("out.", "features."))
    called(COMMANDS["extract-outside"].replace("out.s", "outside.s"))
    called(COMMANDS["measure"].replace("out.", "metrics."))
    called(COMMANDS["measure"].replace("out.", "other.").replace("--seed 0", "--seed 1"))
    os.rename("work", "half")
    rates = pd.DataFrame(
        [(0.1, 1, 1, 0.5, 0.4, 0.3, False)],
        columns=["learning_rate", "epochs", "epoch", "train_loss", "train_error", "test_error", "diverged"],
    )
    write_csv("tried.csv", rates)
    trials = [{"learning_rate": 0.1, "epochs": 1, "test_accuracy": 0.7}]
    write_json("squares-vgg11-mse.json", {"learning_rates": [0.1], "trials": trials})
    generator = np.random.default_rng(0)
    labels = np.arange(12) % 3
    images = generator.integers(0, 256, (12, 6, 6), dtype=np.uint8)
    arrays = {"train_images": images, "train_labels": labels, "test_images": images, "test_labels": labels}
    np.savez_compressed("images.npz", **arrays)
    own = {"features": generator.normal(size=(12, 4)), "labels": labels, "weight": generator.normal(size=(3, 4))}
    np.savez("own.npz", **own)
    torch.save({name: torch.from_numpy(array) for name, array in own.items()}, "own.pt")
    with h5py.File("own.h5", "w") as file:
        for name, array in own.items():
            file[name] = array
    table = pd.DataFrame(own["features"], columns=[f"h{i}" for i in range(4)]).assign(labels=labels)
    table.to_csv("own.csv", index=False)
    table.to_parquet("own.parquet", index=False)
    for split in ("train", "test"):
        for index, image in enumerate(images[:4]):
            folder = Path("images", split, "ab"[index % 2])
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / f"{index}.png")
    called(COMMANDS["prepare-arrays"].replace("out.safetensors", "unread.safetensors").replace("out.", "card."))
    called(COMMANDS["simulate"].replace("out.", "system."))
    called(COMMANDS["portrait"].replace("out.json", "squares-vgg11-mse-seed0.json"))
    write_csv("checks.csv", pd.DataFrame([("a law", "it holds", 1e-9, 1e-6, "HPD")], columns=Check._fields))
    Path("config.yaml").write_text(CONFIG)
    Path("brought.yaml").write_text(OF_OTHERS)
    Path("brought").mkdir()
    weights = load_network("00.safetensors", tiny_training.dataset())[0].state_dict()
    torch.save({"state_dict": weights}, "brought/1.pt")
    shutil.copy("own.npz", "brought/1.npz")
    write_json("squares.json", {"image": [1, 8, 8], "classes": ["a", "b", "c"]})
    called(COMMANDS["find"].replace("out.", "weights."))
    called(COMMANDS["find"].replace("digits-vgg11-mse", "wide").replace("out.", "wide."))


@pytest.fixture(scope="session")
def valid(tmp_path_factory):
    """A folder with a valid file of each kind; never to be changed."""
    folder, before = tmp_path_factory.mktemp("valid"), os.getcwd()
    os.chdir(folder)
    try:
        make_all()
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def files(valid, tmp_path, monkeypatch):
    """A copy of the valid files, for one test to damage; the working folder."""
    shutil.copytree(valid, tmp_path / "files")
    monkeypatch.chdir(tmp_path / "files")
    return tmp_path / "files"
