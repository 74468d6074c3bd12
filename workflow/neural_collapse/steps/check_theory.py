"""Check in numbers what the paper proves, and write one row a statement: check, statement, value, bound, source.

A statement holds where its value is at most its bound.
"""

import argparse
from pathlib import Path

import pandas as pd

from ..storage import write_csv
from ..theory.checks import Check, all_checks


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", required=True, type=Path, help="the table to write (CSV)")


def run(options: argparse.Namespace) -> None:
    table = pd.DataFrame(all_checks(), columns=Check._fields)
    print(table.to_string(index=False, columns=["check", "value", "bound"]))
    write_csv(options.output, table)
