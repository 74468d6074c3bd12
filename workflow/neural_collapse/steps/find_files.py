"""Look at the files that a run brings in place of a training, and write down what they hold."""

import argparse
from pathlib import Path

from ..data.own_files import digest_of_files, found_files, how_many, sha256_of
from ..storage import write_json
from ._brought import brought_arguments, brought_by


def arguments(parser: argparse.ArgumentParser) -> None:
    brought_arguments(parser)
    parser.add_argument(
        "--output", required=True, type=Path, help="their epochs and the checksum of their contents (JSON)"
    )


def run(options: argparse.Namespace) -> None:
    patterns = brought_by(options).files
    found = found_files(patterns, options.run_name)
    epochs = [epoch for epoch in found if epoch is not None]
    count = how_many(found)
    write_json(options.output, {"sha256": digest_of_files(patterns, sha256_of), "epochs": epochs, "files": count})
    found_epochs = f"epochs {', '.join(map(str, epochs))}"
    print(f"{options.run_name}: {found_epochs if epochs else f'{count} files'}")
