"""A user's own arrays, in a file of `numpy.savez`."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from .errors import InputError


def read_npz(path: Path, names: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """Read the named arrays, and those of `optional` that are there, and nothing else of the file.

    Raises InputError where the file is missing or damaged, or where an array is missing or holds pickled objects.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no such file.")
    try:
        with zipfile.ZipFile(path):  # numpy would take other kinds of files as well
            pass
        with np.load(path, allow_pickle=False) as file:
            found = list(file)
            arrays = {name: file[name] for name in (*names, *optional) if name in found}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(
            f"{path}: not a whole .npz file of plain arrays ({error}); save it with numpy.savez, without what is None."
        ) from None
    for name in names:
        if name not in arrays:
            wanted = ", ".join(names)
            raise InputError(
                f"{path}: the array {name} is missing; there must be {wanted}, found {', '.join(found) or 'none'}."
            )
    return arrays
