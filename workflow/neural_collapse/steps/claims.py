"""Judge the papers' headline claims by the measured values."""

import argparse
from pathlib import Path

from ..figures.claims import claims_table
from ..figures.views import write_view
from ..metrics.settings import read_runs
from ..metrics.tables import read_checks, read_tables
from ..storage import write_csv
from ._cards import read_cards, test_images


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tables", required=True, nargs="+", type=Path, metavar="FILE.csv", help="measures and robustness of the runs"
    )
    parser.add_argument("--checks", type=Path, metavar="FILE.csv", help="checks of the theory")
    parser.add_argument(
        "--cards", nargs="*", default=[], type=Path, metavar="FILE.json", help="of the data sets: their sizes decide "
        "whether a gain in test accuracy may be chance"
    )  # fmt: skip
    parser.add_argument("--runs", type=Path, metavar="FILE.csv", help="what was set for each run, of `list-runs`")
    parser.add_argument("--output", required=True, type=Path, help="claim, criterion, what was measured, verdict (CSV)")
    parser.add_argument("--html", type=Path, help="the same for a browser")


def run(options: argparse.Namespace) -> None:
    checks = read_checks(options.checks) if options.checks else None
    images = test_images(read_cards(options.cards))
    settings = read_runs(options.runs) if options.runs else None
    claims = claims_table(read_tables(options.tables), checks=checks, test_images=images, settings=settings)
    write_csv(options.output, claims)
    if options.html:
        write_view(options.html, claims, "The papers' claims")
