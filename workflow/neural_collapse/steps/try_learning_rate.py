"""Train one network at one learning rate of a sweep; record its errors, or that it diverged."""

import argparse
from pathlib import Path

import pandas as pd

from ..datasets import read_dataset
from ..storage import write_csv
from ..training import DivergenceError, Training, prepare_device
from ._training import stop_requests, train_epochs, training_arguments, training_settings


def arguments(parser: argparse.ArgumentParser) -> None:
    training_arguments(parser)
    parser.add_argument("--learning-rate", required=True, type=float, help="the learning rate before any drop")
    parser.add_argument("--output", required=True, type=Path, help="loss and errors of every epoch (CSV)")


def run(options: argparse.Namespace) -> None:
    settings = training_settings(options, options.learning_rate)
    device = prepare_device(settings.precision, options.threads)
    rows = []
    with stop_requests(options.stop_with_parent) as check:
        training = Training(read_dataset(options.data), settings, device, between_batches=check)
        try:
            for record in train_epochs(training, first=1):
                rows.append((record.epoch, record.train_loss, record.train_error, record.test_error, False))
        except DivergenceError as error:
            print(error, flush=True)
            rows.append((len(rows) + 1, None, None, None, True))
    table = pd.DataFrame(rows, columns=["epoch", "train_loss", "train_error", "test_error", "diverged"])
    table.insert(0, "learning_rate", options.learning_rate)
    write_csv(options.output, table)
