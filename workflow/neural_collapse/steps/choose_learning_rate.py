"""Choose the learning rate of a sweep: the best test accuracy at the last epoch wins, of equals the smallest rate."""

import argparse
import math
from pathlib import Path

import pandas as pd

from ..errors import InputError
from ..metrics.tables import read_csv
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
    table, columns = read_csv(path), ["learning_rate", "test_error", "diverged"]
    last = table[columns].tail(1) if set(columns) <= set(table) else table.head(0)
    if last.empty or not _is_result(*last.iloc[0]):
        raise InputError(
            f"{path}: not a file of `try-learning-rate`, which has a row an epoch; make it with that step."
        )
    return last


def _is_result(learning_rate: object, test_error: object, diverged: object) -> bool:
    try:
        finite = math.isfinite(learning_rate) and learning_rate > 0
        return finite and diverged in (True, False) and bool(diverged or 0 <= test_error <= 1)
    except TypeError:  # not numbers
        return False
