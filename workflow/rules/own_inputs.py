"""What a job reads of its user's own, and what it must hold: the module of a network, a file of weights.

A *word* names one and says what it held when the job was planned, such as `code:models@0f1e2d3c4b5a6978`. Words are
among the job's parameters, so that another content makes it stale, and the job looks whether they hold (`run_step`).
"""

import ast
import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from fingerprint import fingerprint_of_files


def word_of_code(module: str) -> str | None:
    """The word of a module and of what it imports; None where it does not lie here but is installed."""
    files = files_of_module(module)
    return f"code:{module}@{fingerprint_of_files(files)}" if files else None


def word_of_file(path: str) -> str | None:
    """The word of a file; None where there is none."""
    file = os.path.expanduser(path)
    if not os.path.isfile(file):
        return None
    with open(file, "rb") as opened:
        return f"file:{path}@{hashlib.file_digest(opened, 'sha256').hexdigest()}"


def name_in(word: str) -> str:
    """The module or file that a word names."""
    return word.partition(":")[2].rpartition("@")[0]


def is_code(word: str) -> bool:
    """Whether a word is one of a module."""
    return word.startswith("code:")


def holds(word: str) -> bool:
    """Whether what a word names holds what it says; a file that is not there contradicts nothing."""
    now = word_of_code(name_in(word)) if is_code(word) else word_of_file(name_in(word)) or word
    return now == word


def files_in(word: str) -> list[Path]:
    """The files that are there of what a word names."""
    if is_code(word):
        return files_of_module(name_in(word))
    file = Path(os.path.expanduser(name_in(word)))
    return [file] if file.is_file() else []


def places_of_module(module: str) -> list[Path]:
    """The files and folders that lie here of a module, or of the package it is in, and of all that these import."""
    places: list[Path] = []
    waiting, seen = [module.partition(".")[0]], set()
    while waiting:
        name = waiting.pop()
        if name and name not in seen:
            seen.add(name)
            here = [place for place in (Path(f"{name}.py"), Path(name)) if _python_files(place)]
            places += here
            waiting += [found for place in here for file in _python_files(place) for found in _imported(file)]
    return sorted(places)


def files_of_module(module: str) -> list[Path]:
    """All Python files in the places of a module."""
    return [file for place in places_of_module(module) for file in _python_files(place)]


def _python_files(place: Path) -> list[Path]:
    """A file, or those of a package."""
    if place.suffix == ".py" and place.is_file():
        return [place]
    return sorted(place.rglob("*.py")) if any(place.glob("*.py")) else []


def _imported(file: Path) -> Iterator[str]:
    """The first parts of what a file imports by full names."""
    with contextlib.suppress(SyntaxError, ValueError):  # the job says so
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                yield node.module.partition(".")[0]
