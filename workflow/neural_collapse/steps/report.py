"""Make one self-contained page of the measures of runs: claims, figures, curves, settings and where all is from."""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

from ..errors import InputError
from ..figures.claims import COLUMNS, claims_table
from ..metrics.portrait import read_portraits
from ..metrics.settings import read_runs
from ..metrics.tables import read_checks, read_csv, read_tables
from ..report.page import render
from ..storage import read_json, whole_file
from ._cards import read_cards, test_images


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tables", nargs="+", type=Path, metavar="TABLE", help="measures and robustness of runs (CSV)")
    parser.add_argument("--output", type=Path, default=Path("report.html"), help="the page (default: %(default)s)")
    parser.add_argument("--figures", nargs="*", default=[], type=Path, metavar="FILE.png", help="figures to show")
    parser.add_argument("--claims", type=Path, metavar="FILE.csv", help="the verdicts; judged here if left out")
    parser.add_argument("--checks", type=Path, metavar="FILE.csv", help="checks of the theory")
    parser.add_argument("--cards", nargs="*", default=[], type=Path, metavar="FILE.json", help="of the data sets")
    parser.add_argument("--portraits", nargs="*", default=[], type=Path, metavar="FILE.json", help="to move, of runs")
    parser.add_argument("--about", type=_table, default={}, metavar="JSON", help="study, description, commit")
    parser.add_argument("--runs", type=Path, metavar="TABLE", help="what was set for each run, of `list-runs`")
    parser.add_argument("--records", nargs="*", default=[], type=Path, metavar="FOLDER", help="of how files were made")


def run(options: argparse.Namespace) -> None:
    table = read_tables(options.tables)
    checks = read_checks(options.checks) if options.checks else None
    cards = read_cards(options.cards, "classes", "train_per_class")
    settings = read_runs(options.runs) if options.runs else None
    if options.claims:
        claims = read_csv(options.claims)
        if list(claims) != COLUMNS:
            raise InputError(f"{options.claims}: not a table of claims, whose columns are {','.join(COLUMNS)}.")
    else:
        claims = claims_table(table, checks=checks, test_images=test_images(cards), settings=settings)
    page = render(
        table,
        claims=claims,
        checks=checks,
        cards=cards,
        pictures=options.figures,
        beside=options.output.parent,
        portraits=read_portraits(options.portraits),
        about=options.about,
        settings=settings,
        jobs=list(_jobs(options.records)),
    )
    with whole_file(options.output) as temporary:
        temporary.write_text(page, encoding="utf-8")
    print(f"{options.output}: {len(page.encode()) / 1e6:.1f} MB")


def _table(text: str) -> dict:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError("is not a JSON object")
    return found


def _jobs(folders: Iterable[Path]) -> Iterable[dict]:
    """The records of jobs in some folders, a file a job or a list of `jobs`; of the same file the last one holds."""
    for folder in folders:
        for path in sorted(folder.glob("*.json")):
            found = read_json(path, "a record of jobs")
            yield from (job for job in found.get("jobs", [found]) if "outputs" in job)
