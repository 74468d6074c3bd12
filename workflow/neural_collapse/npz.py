"""A user's own arrays, in a file of `numpy.savez`."""

import math
import struct
import sys
import zipfile
from pathlib import Path
from typing import IO

import numpy as np

from .errors import InputError, printable

# A file that unpacks to more than 100 times its size, and to more than this many bytes, is no data.
_SUSPICIOUS = 2**28


def read_npz(path: Path, names: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """Read the named arrays, and those of `optional` that are there, and nothing else of the file.

    What else is there is named on stderr.

    Raises
    ------
    InputError
        Where the file is missing or damaged, unpacks to far more than it holds, or where an array is missing or holds
        pickled objects.
    """
    try:
        if not path.is_file():
            raise InputError(f"{path}: there is no such file.")
        with zipfile.ZipFile(path) as archive:  # numpy would take other kinds of files as well
            _check_sizes(path, archive, {f"{name}.npy" for name in (*names, *optional)})
        with np.load(path, allow_pickle=False) as file:
            found = list(file)
            arrays = {name: file[name] for name in (*names, *optional) if name in found}
    except InputError:
        raise
    # numpy and zipfile raise nearly anything: of a password, an unknown compression, a header that is no Python.
    except Exception as error:
        raise InputError(
            f"{path}: not a whole .npz file of plain arrays ({str(error) or type(error).__name__}); save it with "
            "numpy.savez, without what is None."
        ) from None
    for name in names:
        if name not in arrays:
            wanted = ", ".join(names)
            raise InputError(
                f"{path}: the array {name} is missing; there must be {wanted}, found {', '.join(found) or 'none'}."
            )
    if unread := [name for name in found if name not in arrays]:
        print(printable(f"{path}: not read: {', '.join(unread)}"), file=sys.stderr)
    return arrays


def read_npz_mapped(path: Path) -> dict[str, np.ndarray]:
    """Every array of the file, mapped where it lies there uncompressed (as `numpy.savez` writes it), else read.

    Raises
    ------
    InputError
        Where the file is missing or damaged, unpacks to far more than it holds, or holds pickled objects.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name.removesuffix(".npy"): name for name in archive.namelist() if name.endswith(".npy")}
            _check_sizes(path, archive, set(members.values()))
            return {name: _member(path, archive, member) for name, member in members.items()}
    except InputError:
        raise
    except Exception as error:  # as above
        raise InputError(
            f"{path}: not a whole .npz file of plain arrays ({str(error) or type(error).__name__}); save it with "
            "numpy.savez, without what is None."
        ) from None


def _member(path: Path, archive: zipfile.ZipFile, member: str) -> np.ndarray:
    with archive.open(member) as file:
        about = archive.getinfo(member)
        if about.compress_type != zipfile.ZIP_STORED:
            return np.lib.format.read_array(file, allow_pickle=False)
        shape, fortran, dtype = _read_header(file)
        if dtype.hasobject or not math.prod(shape):
            file.seek(0)
            return np.lib.format.read_array(file, allow_pickle=False)
        inside = file.tell()
    with open(path, "rb") as raw:
        raw.seek(about.header_offset + 26)  # of the local header, 30 bytes, whose name and extra field have these sizes
        name, extra = struct.unpack("<HH", raw.read(4))
    offset = about.header_offset + 30 + name + extra + inside
    return np.memmap(path, dtype, "r", offset, shape, order="F" if fortran else "C")


def _check_sizes(path: Path, archive: zipfile.ZipFile, wanted: set[str]) -> None:
    """Raise unless every wanted array is as large as its header says, and no decompression bomb."""
    for member in archive.infolist():
        if member.filename not in wanted:
            continue
        if member.file_size > max(_SUSPICIOUS, 100 * member.compress_size):
            raise InputError(
                f"{path}: {member.filename} unpacks to {member.file_size} bytes from {member.compress_size}; save it "
                "without compression, with numpy.savez, if it is data."
            )
        with archive.open(member) as file:
            shape, _, dtype = _read_header(file)
            if not dtype.hasobject and math.prod(shape) * dtype.itemsize != member.file_size - file.tell():
                raise ValueError(f"{member.filename} has not the size that its header says")


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether in Fortran's order, and type of the array that follows."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return read(file)
