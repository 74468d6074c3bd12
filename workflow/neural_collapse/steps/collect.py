"""Put the tables of all runs into one."""

import argparse
from pathlib import Path

from ..metrics.tables import drawn_curves, read_tables
from ..storage import write_csv


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tables", nargs="+", type=Path, metavar="FILE.csv", help="measures or robustness of one run")
    parser.add_argument("--output", required=True, type=Path, help="the table of all runs (CSV)")
    parser.add_argument("--curves", type=Path, help="the main curves, a column each, as `dvc plots` draws them (CSV)")


def run(options: argparse.Namespace) -> None:
    table = read_tables(options.tables)
    write_csv(options.output, table)
    if options.curves:
        write_csv(options.curves, drawn_curves(table))
