"""Train one network at one learning rate of a sweep; record its errors, or that it diverged."""

import argparse
import math
from pathlib import Path

from ..errors import InputError
from ..storage import write_rows
from ..train.training import DivergenceError
from ._training import (
    given_learning_rates,
    learning_rate_argument,
    train_epochs,
    training_arguments,
    training_settings,
    working_training,
)

_COLUMNS = ["learning_rate", "epochs", "epoch", "train_loss", "train_error", "test_error", "diverged"]


def arguments(parser: argparse.ArgumentParser) -> None:
    training_arguments(parser)
    learning_rate_argument(parser)
    parser.add_argument(
        "--place",
        type=int,
        default=0,
        help="which of the rates of a CHOICE, from 0; where it has fewer, nothing is tried (default: %(default)s)",
    )
    parser.add_argument("--output", required=True, type=Path, help="loss and errors of every epoch (CSV)")


def run(options: argparse.Namespace) -> None:
    if options.place < 0:
        raise InputError(f"--place: must be at least 0, found {options.place}.")
    rates = given_learning_rates(options)
    if options.place < len(rates):
        rows = _tried(options, rates[options.place])
    else:
        print(f"no learning rate is left to try here: {len(rates)} of the round before went on", flush=True)
        rows = [(math.nan, options.epochs, 0, math.nan, math.nan, math.nan, False)]
    write_rows(options.output, _COLUMNS, rows)


def _tried(options: argparse.Namespace, rate: float) -> list[tuple]:
    settings = training_settings(options, rate)
    rows: list[tuple] = []
    with working_training(options, settings, measured=[]) as (training, folder):
        try:
            for record in train_epochs(training, folder):
                errors = (record.train_loss, record.train_error, record.test_error)
                rows.append((rate, settings.epochs, record.epoch, *errors, False))
        except DivergenceError as error:
            print(error, flush=True)
            rows.append((rate, settings.epochs, len(rows) + 1, math.nan, math.nan, math.nan, True))
    return rows
