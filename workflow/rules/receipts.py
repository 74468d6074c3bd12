"""What finished jobs read and made, written by the jobs themselves until the records have taken it over.

A job whose Snakemake was killed may go on, and end after another that made the same files anew. So a job draws a
*ticket* when it begins: the one drawn last is good for a receipt.
"""

import contextlib
import hashlib
import json
import os
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(".snakemake/receipts")


def begin(makes: Iterable[str]) -> str:
    """Withdraw the receipt of the job that makes these files, for they are made anew; returns the new job's ticket."""
    ticket = uuid.uuid4().hex
    discard(makes)
    _write(_path(makes, "ticket"), ticket)
    return ticket


def is_good(makes: Iterable[str], ticket: str) -> bool:
    """Whether no other job has begun to make these files since the ticket was drawn."""
    with contextlib.suppress(FileNotFoundError):
        return _path(makes, "ticket").read_text() == ticket
    return False


def write(read: dict[str, str], made: dict[str, str], ran_with: dict[str, str]) -> None:
    """Leave the receipt of a job: the checksum of every file that it read and made, and what it ran with."""
    _write(_path(made, "json"), json.dumps({"inputs": read, "outputs": made, "ran_with": ran_with}))


def discard(makes: Iterable[str]) -> None:
    """Remove the receipt of the job that makes these files, because it was taken over or is not to be."""
    _path(makes, "json").unlink(missing_ok=True)


def found() -> Iterator[dict[str, Any]]:
    """Every receipt that waits to be taken over."""
    for path in sorted(FOLDER.glob("*.json")):
        with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
            yield json.loads(path.read_text())


def _path(makes: Iterable[str], kind: str) -> Path:
    return FOLDER / f"{hashlib.sha256(min(makes).encode()).hexdigest()[:32]}.{kind}"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.partial")
    temporary.write_text(text)
    os.replace(temporary, path)
