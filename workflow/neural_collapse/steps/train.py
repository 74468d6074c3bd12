"""Train one network; keep it at its measured epochs, with a history of every epoch."""

import argparse
from dataclasses import astuple, fields
from pathlib import Path

from ..storage import write_rows
from ..train.schedule import measured_epochs
from ..train.training import EpochRecord
from ._options import setting
from ._training import (
    given_learning_rates,
    learning_rate_argument,
    train_epochs,
    training_arguments,
    training_settings,
    working_training,
)


def arguments(parser: argparse.ArgumentParser) -> None:
    training_arguments(parser)
    learning_rate_argument(parser)
    parser.add_argument(
        "--measured-epochs",
        required=True,
        type=setting("study", "measured_epochs"),
        metavar="K",
        help="how many epochs, log-spaced, are kept",
    )
    parser.add_argument("--checkpoints", required=True, type=Path, help="the folder of the K networks")
    parser.add_argument("--history", required=True, type=Path, help="loss and errors of every epoch (CSV)")


def run(options: argparse.Namespace) -> None:
    settings = training_settings(options, given_learning_rates(options)[0])
    measured = measured_epochs(settings.epochs, options.measured_epochs)
    with working_training(options, settings, measured) as (training, folder):
        history = list(train_epochs(training, folder))
        write_rows(options.history, [field.name for field in fields(EpochRecord)], map(astuple, history))
        folder.publish(options.checkpoints)
