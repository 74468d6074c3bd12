"""Project the features of a run at every measured epoch, for the portrait and the moving one of the report."""

import argparse
from pathlib import Path

from ..features.moments import read_snapshots
from ..metrics.portrait import portray, write_portrait


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("features", type=Path, metavar="FILE", help="file of extract-features")
    parser.add_argument("--output", required=True, type=Path, help="the portrait (JSON)")


def run(options: argparse.Namespace) -> None:
    snapshots = read_snapshots(options.features)
    portrait = portray((epoch, snapshot.sample) for epoch, split, snapshot in snapshots if split == "train")
    write_portrait(options.output, portrait)
