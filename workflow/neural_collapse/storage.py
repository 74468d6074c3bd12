"""Files: written whole or not at all, and read back with one clear sentence when they are damaged."""

import contextlib
import csv
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from .errors import InputError

if TYPE_CHECKING:  # whoever writes a table has pandas loaded, and nobody else needs to
    import pandas as pd

_METADATA = "metadata"


@contextlib.contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; rename it to `path` once the block ends without an error.

    A process killed at any moment leaves either the old file or the new one, never a half of it. The temporary name
    keeps the suffix, because writers of pictures choose the format by it.

    Raises
    ------
    InputError
        Where `path` names no file.
    """
    path = Path(path)
    if not path.name:
        raise InputError(f"'{path}': this is not the name of a file.")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_arrays(path: str | Path, arrays: dict[str, np.ndarray], metadata: Mapping[str, object] | None = None) -> None:
    """Write named arrays, and a few plain values about them, as one safetensors file; the same bytes every time.

    All metadata is one entry, because safetensors writes several in a random order.

    Raises
    ------
    InputError
        Where it can't be written: a full disk, a limit on the size of files.
    """
    about = None if metadata is None else {_METADATA: json.dumps(metadata, sort_keys=True)}
    with whole_file(path) as temporary:
        try:
            save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, temporary, about)
        except SafetensorError as error:  # which hides an OSError
            raise InputError(f"{path}: it can't be written ({error}).") from None
        os.umask(mask := os.umask(0))
        temporary.chmod(0o666 & ~mask)  # as any other file: safetensors keeps its own from everybody else


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Read every array of a safetensors file.

    Raises
    ------
    InputError
        Where it is missing or damaged.
    """
    with _open_arrays(path) as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (the file itself is no iterable)


def read_metadata(path: str | Path) -> dict[str, object]:
    """Read the values stored beside the arrays, {} for none.

    Raises
    ------
    InputError
        Where the file is missing or damaged.
    """
    with _open_arrays(path) as file:
        try:
            found = json.loads((file.metadata() or {}).get(_METADATA, "{}"))
        except (ValueError, RecursionError):
            found = None
    if not isinstance(found, dict):
        raise InputError(f"{path}: what it says of its arrays is damaged; delete it and make it again.")
    return found


@contextlib.contextmanager
def _open_arrays(path):
    if not Path(path).is_file():
        raise InputError(f"{path}: there is no such file.")
    try:
        with safe_open(path, framework="numpy") as file:
            yield file
    except (SafetensorError, OSError, ValueError, TypeError, AttributeError) as error:  # the last: types not numpy's
        raise InputError(
            f"{path}: not a whole safetensors file ({error}); delete it and make it again, or run `dvc checkout`."
        ) from None


def write_csv(path: str | Path, table: "pd.DataFrame") -> None:
    """Write a table without its index; every float as the shortest text that reads back to the same float64.

    What is no number is `nan`, so that an empty field is always damage.
    """
    with whole_file(path) as temporary:
        table.to_csv(temporary, index=False, na_rep="nan", lineterminator="\n")


def write_rows(path: str | Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write what `write_csv` would of a table of these rows, without pandas; what is no number must be a NaN."""
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def write_json(path: str | Path, value: object) -> None:
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n")


def read_json(path: str | Path, kind: str, *keys: str) -> dict[str, Any]:
    """Read a table of a JSON file.

    Raises
    ------
    InputError
        One sentence that says that the file is not of its `kind`, where it is missing, is damaged or lacks one of
        `keys`.
    """
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not found.keys() >= set(keys):
        raise InputError(f"{path}: not {kind}; make it again, or restore it with `git checkout`.")
    return found
