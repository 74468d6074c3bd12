"""List the runs of a study with every setting of each, to be joined with tables of measures."""

import argparse
from pathlib import Path

from ..config.checks import read_config
from ..config.runs import load_study, settings_of_runs
from ..metrics.settings import write_runs
from ..metrics.tables import read_csv


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, default="config.yaml", help="the configuration (default: %(default)s)")
    parser.add_argument("--study", help="one of its studies (default: the one it names)")
    parser.add_argument(
        "--choices",
        nargs="?",
        type=Path,
        metavar="TABLE",
        help="of `collect-sweep`, where learning rates were swept for",
    )
    parser.add_argument("--output", required=True, type=Path, help="a row a run, a column a setting (CSV)")


def run(options: argparse.Namespace) -> None:
    study = load_study(read_config(options.config), options.study)
    chosen = read_csv(options.choices, keep_default_na=False) if options.choices else None
    write_runs(options.output, settings_of_runs(study), chosen)
