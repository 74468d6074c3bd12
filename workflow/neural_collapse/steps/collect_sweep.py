"""Collect every trial of the learning-rate sweeps, and which of them went on or won, into one table."""

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from ..config.checks import check_setting
from ..config.names import parts_of_pair
from ..errors import InputError
from ..storage import read_json, write_csv

COLUMNS = [
    "dataset",
    "network",
    "loss",
    "variant",
    "round",
    "epochs",
    "learning_rate",
    "test_accuracy",
    "diverged",
    "kept",
]
_RATE = {"type": "number", "exclusiveMinimum": 0}
_EPOCHS = {"type": "integer", "minimum": 1}
_ACCURACY = {"type": "number", "minimum": 0, "maximum": 1}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "choices",
        nargs="*",
        type=Path,
        metavar="CHOICE",
        help="files of choose-learning-rate, named by their pair; those of one pair in the order of its rounds",
    )
    parser.add_argument(
        "--output", required=True, help="the table to write, .csv; empty but for its header without choices"
    )


def run(options: argparse.Namespace) -> None:
    rows: list[list] = []
    rounds: Counter[str] = Counter()
    for path in options.choices:
        rounds[path.stem] += 1
        rows += _rows(path, rounds[path.stem])
    write_csv(options.output, pd.DataFrame(rows, columns=COLUMNS))


def _rows(path: Path, number: int) -> Iterator[list]:
    try:
        parts = parts_of_pair(path.stem)
        choice = read_json(path, "a file of `choose-learning-rate`", "learning_rates", "trials")
        for trial in choice["trials"]:
            rate, epochs, accuracy = trial["learning_rate"], trial["epochs"], trial["test_accuracy"]
            check_setting("learning_rate", rate, _RATE)
            check_setting("epochs", epochs, _EPOCHS)
            if accuracy is not None:
                check_setting("test_accuracy", accuracy, _ACCURACY)
            kept = rate in choice["learning_rates"]
            yield [*parts, number, epochs, rate, accuracy, accuracy is None, kept]
    except (ValueError, TypeError, KeyError):
        raise InputError(
            f"{path}: not a file of `choose-learning-rate`, named {{dataset}}-{{network}}-{{loss}}.json; make it with "
            "that step."
        ) from None
