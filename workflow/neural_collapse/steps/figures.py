"""Draw what tables of anyone's measures show: every figure of networks, table 1 and the claims."""

import argparse
import sys
from pathlib import Path

from ..errors import printable
from ..figures.all import draw_figures
from ..metrics.tables import read_own_tables


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tables", nargs="+", type=Path, metavar="TABLE.csv", help="of `measure`, or of your own making")
    parser.add_argument(
        "--output", type=Path, default=Path("figures"), metavar="FOLDER", help="where they go (default: %(default)s)"
    )
    parser.add_argument(
        "--figure", action="append", metavar="NAME", help="this one alone, such as figure-07; repeatable"
    )


def run(options: argparse.Namespace) -> None:
    drawn = draw_figures(read_own_tables(options.tables), options.output, options.figure)
    for path in drawn.files:
        print(path)
    for name, reason in drawn.left_out.items():
        print(printable(f"left out {name}: {reason}"), file=sys.stderr)
