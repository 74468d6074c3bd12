"""Collect what the learning-rate sweeps chose, and what diverged, into one table."""

import argparse
from pathlib import Path

import pandas as pd

from ..config.checks import check_setting
from ..config.names import parts_of_pair
from ..errors import InputError
from ..storage import read_json, write_csv

COLUMNS = ["dataset", "network", "loss", "variant", "learning_rate", "test_accuracy", "diverged"]


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "choices", nargs="*", metavar="CHOICE", help="files of choose-learning-rate, named by their pair"
    )
    parser.add_argument(
        "--output", required=True, help="the table to write, .csv; empty but for its header without choices"
    )


def run(options: argparse.Namespace) -> None:
    write_csv(options.output, pd.DataFrame(map(_row, map(Path, options.choices)), columns=COLUMNS))


def _row(path: Path) -> list:
    try:
        parts = parts_of_pair(path.stem)
        choice = read_json(path, "a file of `choose-learning-rate`", "learning_rate", "test_accuracy", "diverged")
        check_setting("learning_rate", choice["learning_rate"], {"type": "number", "exclusiveMinimum": 0})
        check_setting("test_accuracy", choice["test_accuracy"], {"type": "number", "minimum": 0, "maximum": 1})
        diverged = " ".join(f"{rate:g}" for rate in choice["diverged"])
        return [*parts, choice["learning_rate"], choice["test_accuracy"], diverged]
    except (ValueError, TypeError):
        raise InputError(
            f"{path}: not a file of `choose-learning-rate`, named {{dataset}}-{{network}}-{{loss}}.json; make it with "
            "that step."
        ) from None
