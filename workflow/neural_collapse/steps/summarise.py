"""Sum up one run: its zero-error epochs, and its key measures at the last epoch."""

import argparse
from pathlib import Path

from ..metrics.tables import read_tables, summarise
from ..storage import write_json


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tables", nargs="+", type=Path, metavar="FILE.csv", help="measures and robustness of one run")
    parser.add_argument("--output", required=True, type=Path, help="the summary, which `dvc metrics show` reads (JSON)")


def run(options: argparse.Namespace) -> None:
    write_json(options.output, summarise(read_tables(options.tables)))
