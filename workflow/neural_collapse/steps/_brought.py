"""What the steps share that read the files which a run brings: the flags that name it, and the look at its files."""

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path

from ..config.brought import Brought
from ..config.checks import read_config
from ..config.runs import load_study
from ..data.own_files import digest_of_files, found_files, last_touched, sha256_of
from ..errors import InputError
from ..storage import read_json


def brought_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags that name a run. Where its files lie is for the configuration to say, and no flag."""
    parser.add_argument("--config", type=Path, default="config.yaml", help="the configuration (default: %(default)s)")
    parser.add_argument("--study", required=True, help="one of its studies")
    parser.add_argument("--run", required=True, metavar="NAME", dest="run_name", help="the run that brings its files")


def brought_by(options: argparse.Namespace) -> Brought:
    """What the run brings; raises InputError where there is no such run."""
    study = load_study(read_config(options.config), options.study)
    found = next((run.brings for run in study.runs if run.name == options.run_name and run.brings), None)
    if found is None:
        raise InputError(f"--run: the study {study.name} has no run {options.run_name} that brings its own files.")
    return found


@contextlib.contextmanager
def files_by_epoch(options: argparse.Namespace, card: Path) -> Iterator[dict[int | None, list[Path]]]:
    """The files of the run (`found_files`), to be read in the block.

    Raises
    ------
    InputError
        Where they aren't there, aren't what a file of `find-files` says of them, or change before the block ends.
    """
    patterns = brought_by(options).files
    found = found_files(patterns, options.run_name)
    files = [path for paths in found.values() for path in paths]
    touched = max(map(last_touched, files))
    same = digest_of_files(patterns, sha256_of) == read_json(card, "a file of `find-files`", "sha256")["sha256"]
    if same:
        yield found
    if not same or max(map(last_touched, files)) != touched:
        raise InputError(f"{options.run_name}: its files were changed meanwhile; repeat the command.")
