"""Put the tables of all runs into one."""

import argparse
from pathlib import Path

from ..metrics.tables import read_tables
from ..storage import write_csv


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tables", nargs="+", type=Path, metavar="FILE.csv", help="measures or robustness of one run")
    parser.add_argument("--output", required=True, type=Path, help="the table of all runs (CSV)")


def run(options: argparse.Namespace) -> None:
    write_csv(options.output, read_tables(options.tables))
