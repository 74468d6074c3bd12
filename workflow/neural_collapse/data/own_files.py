"""The files that a run brings: which there are, of which epoch each is, and what they hold.

A path names them, in which `{epoch}` stands for a whole number and `*` for anything within a name.
"""

import glob
import hashlib
import itertools
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from ..errors import InputError

Contents = Callable[[str], str]
"""The checksum of a file, for whoever remembers those of files that have not changed."""


class Found(NamedTuple):
    """A file or folder, and its epoch; None where its path holds no `{epoch}`."""

    path: Path
    epoch: int | None


def found_files(patterns: Sequence[str], where: str) -> dict[int | None, list[Path]]:
    """The files and folders that each path names, by epoch in rising order; those of no epoch go with all others.

    Raises
    ------
    InputError
        One sentence that begins with `where`: for a path that names no file, two files of one epoch, and epochs that
        one path has and another has not.
    """
    by_epoch: dict[int, list[Path]] = {}
    shared: list[Path] = []
    first: tuple[str, set[int]] | None = None
    for pattern in patterns:
        found = _matching(pattern)
        if not found:
            raise InputError(f"{where}: no file is named {pattern}{_instead(pattern)}.")
        epochs: dict[int, Path] = {}
        for path, epoch in found:
            if epoch is not None and epochs.setdefault(epoch, path) != path:
                raise InputError(f"{where}: {epochs[epoch]} and {path} are both of epoch {epoch}; keep one.")
            (shared if epoch is None else by_epoch.setdefault(epoch, [])).append(path)
        if epochs:
            first = first or (pattern, set(epochs))
            if odd := first[1] ^ set(epochs):
                raise InputError(f"{where}: {first[0]} and {pattern} are not both there at epoch {min(odd)}; add one.")
    if not by_epoch:
        return {None: shared}
    return {epoch: [*by_epoch[epoch], *shared] for epoch in sorted(by_epoch)}


def how_many(found: dict[int | None, list[Path]]) -> int:
    """The epochs of files that say by their names of which they are; else the files, each of an epoch of its own."""
    return len(found) if None not in found else len(found[None])


def are_there(patterns: Sequence[str]) -> bool:
    """Whether every path names a file; a clone may have none."""
    return all(map(_matching, patterns))


def digest_of_files(patterns: Sequence[str], contents: Contents) -> str:
    """What all these files hold, their epochs, and the names of those without, wherever they lie: a SHA-256."""
    digest = hashlib.sha256()
    for number, pattern in enumerate(patterns):
        for path, epoch in _matching(pattern):
            for file in files_of(path):
                inside = file.relative_to(path).as_posix() if path.is_dir() else ""
                name = path.name if epoch is None else str(epoch)
                line = f"{number} {name} {inside} {contents(str(file))}\n"
                digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()


def sha256_of(file: str) -> str:
    """The SHA-256 of a file, in Snakemake's notation."""
    with open(file, "rb") as opened:
        return f"sha256:{hashlib.file_digest(opened, 'sha256').hexdigest()}"


def last_touched(path: Path) -> int:
    """When a file, or any in a folder, was last written, replaced or taken away, in nanoseconds; 0 for none."""
    inside = (
        Path(folder, name) for folder, *names in os.walk(path, followlinks=True) for name in itertools.chain(*names)
    )
    return max((place.stat().st_ctime_ns for place in (path, *inside) if place.exists()), default=0)


def folder_of(pattern: str) -> Path:
    """The file or folder below which all files lie that a path names."""
    parts = Path(os.path.expanduser(pattern)).parts
    fixed = [i for i, part in enumerate(parts) if "*" in part or "{" in part]
    return Path(*parts[: fixed[0]] if fixed else parts)


def files_of(path: Path) -> list[Path]:
    """A file, or all that a folder holds, but hidden ones."""
    if path.is_file():
        return [path]
    inside = [file for file in path.rglob("*") if file.is_file()]
    return sorted(file for file in inside if not any(part.startswith(".") for part in file.relative_to(path).parts))


def _matching(pattern: str) -> list[Found]:
    """What a path names, by epoch and name."""
    path = Path(os.path.expanduser(pattern)).as_posix()
    marks = re.split(r"(\{epoch\}|\*+)", path)
    asked = "".join("*" if mark.startswith(("*", "{epoch}")) else glob.escape(mark) for mark in marks)
    kinds = {"{epoch}": r"0*(?P<epoch>[0-9]{1,9})"}
    exact = "".join(kinds.get(mark) or ("[^/]*" if mark.startswith("*") else re.escape(mark)) for mark in marks)
    found = []
    for name in glob.glob(asked):
        if match := re.fullmatch(exact, Path(name).as_posix()):
            epoch = match.groupdict().get("epoch")
            found.append(Found(Path(name), None if epoch is None else int(epoch)))
    return sorted(found, key=lambda one: (one.epoch or 0, str(one.path)))


def _instead(pattern: str) -> str:
    """What there is where files are looked for, in words."""
    if "{epoch}" in pattern and (others := _matching(pattern.replace("{epoch}", "*"))):
        return f", where {{epoch}} is a whole number; there is {others[0].path}"
    folder = folder_of(pattern)
    return "" if folder.exists() or folder == Path(pattern) else f", for there is no {folder}"
