"""Train one network; keep it at its measured epochs, with a history of every epoch."""

import argparse
import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import torch

from ..datasets import read_dataset
from ..errors import InputError
from ..resume import WorkingFolder, locked
from ..schedule import measured_epochs
from ..storage import write_csv
from ..training import Training, prepare_device
from ._training import stop_requests, train_epochs, training_arguments, training_settings


def arguments(parser: argparse.ArgumentParser) -> None:
    training_arguments(parser)
    rate = parser.add_mutually_exclusive_group(required=True)
    rate.add_argument("--learning-rate", type=float, help="the learning rate before any drop")
    rate.add_argument("--learning-rate-from", type=Path, metavar="CHOICE", help="the file of `choose-learning-rate`")
    parser.add_argument(
        "--measured-epochs", required=True, type=int, metavar="K", help="how many epochs, log-spaced, are kept"
    )
    parser.add_argument("--checkpoints", required=True, type=Path, help="the folder of the K networks")
    parser.add_argument("--history", required=True, type=Path, help="loss and errors of every epoch (CSV)")
    parser.add_argument("--resume", required=True, type=Path, help="the folder to work in; a killed training continues")
    parser.add_argument(
        "--code-version", required=True, help="names the code; a training begun by another is not continued"
    )


def run(options: argparse.Namespace) -> None:
    settings = training_settings(options, _learning_rate(options))
    measured = measured_epochs(settings.epochs, options.measured_epochs)
    device = prepare_device(settings.precision, options.threads)
    with locked(options.resume), stop_requests(options.stop_with_parent) as check:
        training = Training(read_dataset(options.data), settings, device, between_batches=check)
        with open(options.data, "rb") as file:
            data = hashlib.file_digest(file, "sha256").hexdigest()
        identity = asdict(settings) | {
            "measured_epochs": measured,
            "threads": options.threads,
            "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
            "torch": torch.__version__,
            "code_version": options.code_version,
            "data": data,
        }
        folder = WorkingFolder(options.resume, identity, measured)
        history = folder.restore(training)
        for record in train_epochs(training, first=len(history) + 1):
            history.append(record)
            folder.keep(training, history)
        write_csv(options.history, pd.DataFrame([asdict(record) for record in history]))
        folder.publish(options.checkpoints)


def _learning_rate(options: argparse.Namespace) -> float:
    if options.learning_rate is not None:
        return options.learning_rate
    try:
        return json.loads(options.learning_rate_from.read_text())["learning_rate"]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            f"{options.learning_rate_from}: not a file of `choose-learning-rate`, which names the learning rate."
        ) from None
