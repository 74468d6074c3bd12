"""Put the tables of all runs into one, and the last values of each run into a summary."""

import argparse
from pathlib import Path

from ..collection import read_tables, summarise
from ..storage import write_csv, write_json


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tables", nargs="+", type=Path, metavar="FILE.csv", help="measures or robustness of one run")
    parser.add_argument("--output", required=True, type=Path, help="the table of all runs (CSV)")
    parser.add_argument("--summary", required=True, type=Path, help="the last values of each run (JSON)")


def run(options: argparse.Namespace) -> None:
    table = read_tables(options.tables)
    write_csv(options.output, table)
    write_json(options.summary, summarise(table))
