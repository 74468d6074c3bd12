"""Choose the learning rate of a sweep: the best test accuracy at the last epoch wins, of equals the smallest rate."""

import argparse
from pathlib import Path

import pandas as pd

from ..errors import InputError
from ..storage import write_json


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("rates", nargs="+", type=Path, metavar="RATE.csv", help="the files of `try-learning-rate`")
    parser.add_argument("--output", required=True, type=Path, help="the choice (JSON)")


def run(options: argparse.Namespace) -> None:
    ends = pd.concat([_last_epoch(path) for path in options.rates]).sort_values("learning_rate")
    finished = ends[~ends.diverged]
    if finished.empty:
        raise InputError(f"every learning rate diverged, from {ends.learning_rate.min():g} on; try smaller ones.")
    best = finished.sort_values(["test_error", "learning_rate"]).iloc[0]
    write_json(
        options.output,
        {
            "learning_rate": float(best.learning_rate),
            "test_accuracy": 1 - float(best.test_error),
            "diverged": ends.learning_rate[ends.diverged].tolist(),
        },
    )


def _last_epoch(path: Path) -> pd.DataFrame:
    try:
        last = pd.read_csv(path)[["learning_rate", "test_error", "diverged"]].tail(1)
    except (OSError, ValueError, KeyError):
        last = pd.DataFrame()
    if last.empty:
        raise InputError(
            f"{path}: not a file of `try-learning-rate`, which has a row an epoch; make it with that step."
        )
    return last
