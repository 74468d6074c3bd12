"""What finished jobs read and made, written by the jobs themselves until the records have taken it over."""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(".snakemake/receipts")


def write(read: dict[str, str], made: dict[str, str], ran_with: dict[str, str]) -> None:
    """Leave the receipt of a job: the checksum of every file that it read and made, and what it ran with."""
    path = _path(made)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.partial")
    temporary.write_text(json.dumps({"inputs": read, "outputs": made, "ran_with": ran_with}))
    os.replace(temporary, path)


def discard(makes: Iterable[str]) -> None:
    """Withdraw the receipt of the job that makes these files, because they are made anew or were taken over."""
    _path(makes).unlink(missing_ok=True)


def found() -> Iterator[dict[str, Any]]:
    """Every receipt that waits to be taken over."""
    for path in sorted(FOLDER.glob("*.json")):
        with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
            yield json.loads(path.read_text())


def _path(makes: Iterable[str]) -> Path:
    return FOLDER / f"{hashlib.sha256(min(makes).encode()).hexdigest()[:32]}.json"
