"""Choose learning rates of a sweep: the best test accuracies at the last epoch win, of equals the smallest rates."""

import argparse
import math
from pathlib import Path

import pandas as pd

from ..errors import InputError
from ..metrics.tables import read_csv
from ..storage import write_json


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("trials", nargs="+", type=Path, metavar="TRIAL", help="the files of `try-learning-rate`")
    parser.add_argument(
        "--keep",
        type=int,
        default=1,
        help="how many go on, where as many have not diverged (default: %(default)s)",
    )
    parser.add_argument("--output", required=True, type=Path, help="the choice (JSON)")


def run(options: argparse.Namespace) -> None:
    if options.keep < 1:
        raise InputError(f"--keep: must be at least 1, found {options.keep}.")
    ends = pd.concat([_last_epoch(path) for path in options.trials]).sort_values("learning_rate")
    if ends.diverged.all():
        raise InputError(f"every learning rate diverged, from {ends.learning_rate.min():g} on; try smaller ones.")
    trials = [
        {
            "learning_rate": trial.learning_rate,
            "epochs": trial.epochs,
            "test_accuracy": None if trial.diverged else 1 - trial.test_error,
        }
        for trial in ends.itertuples()
    ]
    kept = kept_learning_rates(ends, options.keep)
    write_json(options.output, {"learning_rates": kept, "trials": trials})


def kept_learning_rates(ends: pd.DataFrame, count: int) -> list[float]:
    """The best of the rates that did not diverge, at most `count` and ascending, by the last epochs of their trials."""
    best = ends[~ends.diverged].sort_values(["test_error", "learning_rate"])
    return sorted(best.learning_rate[:count].tolist())


def _last_epoch(path: Path) -> pd.DataFrame:
    """The last row of a trial; none of one for which no rate was left."""
    table, columns = read_csv(path), ["learning_rate", "epochs", "epoch", "test_error", "diverged"]
    last = table[columns].tail(1) if set(columns) <= set(table) else table.head(0)
    if last.empty or not _is_result(*last.iloc[0]):
        raise InputError(
            f"{path}: not a file of `try-learning-rate`, which has a row an epoch; make it with that step."
        )
    return last[last.epoch > 0]


def _is_result(learning_rate: object, epochs: object, epoch: object, test_error: object, diverged: object) -> bool:
    try:
        if epoch == 0:
            return epochs > 0 and not diverged
        finite = math.isfinite(learning_rate) and learning_rate > 0 and 0 < epoch <= epochs
        return finite and diverged in (True, False) and bool(diverged or (epoch == epochs and 0 <= test_error <= 1))
    except TypeError:  # not numbers
        return False
