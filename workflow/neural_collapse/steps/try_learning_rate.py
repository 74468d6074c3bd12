"""Train one network at one learning rate of a sweep; record its errors, or that it diverged."""

import argparse
from pathlib import Path

import pandas as pd

from ..storage import write_csv
from ..train.training import DivergenceError
from ._training import train_epochs, training_arguments, training_settings, working_training


def arguments(parser: argparse.ArgumentParser) -> None:
    training_arguments(parser)
    parser.add_argument("--learning-rate", required=True, type=float, help="the learning rate before any drop")
    parser.add_argument("--output", required=True, type=Path, help="loss and errors of every epoch (CSV)")


def run(options: argparse.Namespace) -> None:
    settings = training_settings(options, options.learning_rate)
    rows = []
    with working_training(options, settings, measured=[]) as (training, folder):
        try:
            for record in train_epochs(training, folder):
                rows.append((record.epoch, record.train_loss, record.train_error, record.test_error, False))
        except DivergenceError as error:
            print(error, flush=True)
            rows.append((len(rows) + 1, None, None, None, True))
        table = pd.DataFrame(rows, columns=["epoch", "train_loss", "train_error", "test_error", "diverged"])
        table.insert(0, "learning_rate", options.learning_rate)
        write_csv(options.output, table)
