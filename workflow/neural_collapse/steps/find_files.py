"""Look at the files that a run brings in place of a training, and write down what they hold."""

import argparse
from pathlib import Path

from ..data.own_files import digest_of_files, found_files, how_many, sha256_of
from ..errors import InputError
from ..storage import write_json
from ._brought import brought_arguments, brought_by


def arguments(parser: argparse.ArgumentParser) -> None:
    brought_arguments(parser)
    parser.add_argument(
        "--output", required=True, type=Path, help="their epochs and the checksum of their contents (JSON)"
    )
    parser.add_argument("--content", metavar="SHA256", help="what they must hold, or nothing is written")


def run(options: argparse.Namespace) -> None:
    patterns = brought_by(options).files
    found = found_files(patterns, options.run_name)
    epochs = [epoch for epoch in found if epoch is not None]
    count = how_many(found)
    content = digest_of_files(patterns, sha256_of)
    if options.content not in (None, content):
        raise InputError(f"{options.run_name}: its files were changed after this was planned; repeat the command.")
    write_json(options.output, {"sha256": content, "epochs": epochs, "files": count})
    found_epochs = f"epochs {', '.join(map(str, epochs))}"
    print(f"{options.run_name}: {found_epochs if epochs else f'{count} files'}")
