"""Judge the papers' headline claims by the measured values."""

import argparse
from pathlib import Path

from ..figures.claims import claims_table
from ..metrics.tables import read_tables
from ..storage import write_csv


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tables", required=True, nargs="+", type=Path, metavar="FILE.csv", help="measures and robustness of the runs"
    )
    parser.add_argument(
        "--output", required=True, type=Path, help="claim, what the paper says, what was measured (CSV)"
    )


def run(options: argparse.Namespace) -> None:
    write_csv(options.output, claims_table(read_tables(options.tables)))
