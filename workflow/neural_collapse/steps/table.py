"""Make Table 1: test accuracy at zero train error and at the end of training."""

import argparse
from pathlib import Path

from ..figures.table_1 import accuracy_table, to_markdown
from ..figures.views import write_view
from ..metrics.tables import read_tables
from ..storage import whole_file, write_csv


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tables", required=True, nargs="+", type=Path, metavar="FILE.csv", help="measures of the runs"
    )
    parser.add_argument("--csv", required=True, type=Path, help="the table for programs")
    parser.add_argument("--md", required=True, type=Path, help="the table for readers (Markdown)")
    parser.add_argument("--html", type=Path, help="the table for a browser")


def run(options: argparse.Namespace) -> None:
    accuracies = accuracy_table(read_tables(options.tables))
    write_csv(options.csv, accuracies)
    with whole_file(options.md) as temporary:
        temporary.write_text(to_markdown(accuracies), encoding="utf-8")
    if options.html:
        write_view(options.html, accuracies, "Table 1: test accuracy at zero error and at the end of training")
