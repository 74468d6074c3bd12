"""Project the features of runs at every measured epoch, for the moving portrait of the report."""

import argparse
import json
from pathlib import Path

from ..figures.figure_portrait import frames, read
from ..storage import whole_file


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("features", nargs="+", type=Path, metavar="FILE", help="files of extract-features")
    parser.add_argument("--output", required=True, type=Path, help="the frames (JSON)")


def run(options: argparse.Namespace) -> None:
    with whole_file(options.output) as temporary:
        temporary.write_text(json.dumps(frames(read(options.features)), separators=(",", ":")) + "\n")
