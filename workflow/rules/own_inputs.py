"""What a job reads of its user's own, and what it must hold: the module of a network, a file of weights.

A *word* names one and says what it held when the job was planned, such as `code:models@0f1e2d3c4b5a6978`. Words are
among the job's parameters, so that another content makes it stale, and the job looks whether they hold (`run_step`).
"""

import hashlib
from pathlib import Path

from fingerprint import fingerprint_of_files


def word_of_code(module: str) -> str | None:
    """The word of a module, or of the package that it is in; None where it does not lie here but is installed."""
    files = files_of_module(module)
    return f"code:{module}@{fingerprint_of_files(files)}" if files else None


def word_of_file(path: str) -> str | None:
    """The word of a file; None where there is none."""
    file = Path(path).expanduser()
    if not file.is_file():
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
    file = Path(name_in(word)).expanduser()
    return [file] if file.is_file() else []


def places_of_module(module: str) -> list[Path]:
    """The file, the folder or both of a module that lies here."""
    package = module.partition(".")[0]
    return [place for place in (Path(f"{package}.py"), Path(package)) if package and place.exists()]


def files_of_module(module: str) -> list[Path]:
    """All Python files of a module, or of the package that it is in."""
    places = places_of_module(module)
    return [file for place in places for file in ([place] if place.is_file() else sorted(place.rglob("*.py")))]
