"""Judge the papers' headline claims by the measured values."""

import argparse
from pathlib import Path

from ..config.checks import check_setting, definition
from ..figures.claims import claims_table
from ..metrics.tables import read_checks, read_tables
from ..storage import read_json, write_csv

_COUNTS = {"type": "array", "items": {"type": "integer", "minimum": 1}}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tables", required=True, nargs="+", type=Path, metavar="FILE.csv", help="measures and robustness of the runs"
    )
    parser.add_argument("--checks", type=Path, metavar="FILE.csv", help="checks of the theory")
    parser.add_argument(
        "--cards", nargs="+", default=[], type=Path, metavar="FILE.json", help="of the data sets: their sizes decide "
        "whether a gain in test accuracy may be chance"
    )  # fmt: skip
    parser.add_argument("--output", required=True, type=Path, help="claim, criterion, what was measured, verdict (CSV)")


def run(options: argparse.Namespace) -> None:
    checks = read_checks(options.checks) if options.checks else None
    cards = [read_json(path, "a data set's card", "name", "test_per_class") for path in options.cards]
    for path, card in zip(options.cards, cards, strict=True):
        check_setting(f"{path}: name", card["name"], definition("name") | {"type": "string"})
        check_setting(f"{path}: test_per_class", card["test_per_class"], _COUNTS)
    test_images = {card["name"]: sum(card["test_per_class"]) for card in cards}
    write_csv(options.output, claims_table(read_tables(options.tables), checks=checks, test_images=test_images))
