"""The arrays that users give: any kind that holds real numbers, or one sentence that says what is wrong with them."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import InputError

_LARGEST = 1e70  # Fourth powers of lengths up to it, and down to its inverse, are float64 numbers.


def as_array(name: str, values: Any) -> np.ndarray | None:
    """What a user gave, as a NumPy array; tensors are told by their methods, so that torch need not be installed."""
    if values is None:
        return None
    if hasattr(values, "toarray") or str(getattr(values, "layout", "torch.strided")) != "torch.strided":
        raise InputError(f"{name}: must be a dense array, found a sparse one; pass it as .toarray() or .to_dense().")
    if np.ma.isMaskedArray(values):
        if masked := int(np.ma.count_masked(values)):
            raise InputError(f"{name}: {masked} numbers are masked; leave out their examples, or fill them in.")
        values = values.data
    try:
        if hasattr(values, "detach"):
            values = values.detach().cpu()
            small = str(values.dtype).startswith(("torch.bfloat16", "torch.float8"))  # which NumPy doesn't have
            values = values.float() if small else values
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{name}: must be an array of real numbers ({error}).") from None
    if array.dtype.kind not in "fiu":
        raise InputError(f"{name}: must be an array of real numbers, found the type {array.dtype}.")
    return array


def check_numbers(name: str, array: np.ndarray) -> None:
    """Raise InputError unless all numbers are finite, and of sizes whose squares' squares are numbers, too."""
    largest = 0.0
    for first, rows in _blocks(array):
        size = max(abs(float(rows.max())), abs(float(rows.min())))
        if not size < np.inf:
            place = np.argwhere(~np.isfinite(rows))[0]
            where = [int(place[0]) + first, *map(int, place[1:])]
            raise InputError(f"{name}: all numbers must be finite, found {rows[tuple(place)]} at {where}.")
        largest = max(largest, size)
    if largest > _LARGEST or (name in ("features", "weight") and 0 < largest < 1 / _LARGEST):
        raise InputError(
            f"{name}: the largest number must lie between {1 / _LARGEST:g} and {_LARGEST:g}, found {largest:g}; "
            "scale it, and what is multiplied by it inversely."
        )


def _blocks(array: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Where each block of some rows starts, and the block."""
    step = max(1, 2**20 // max(1, array[:1].size))
    for start in range(0, len(array), step):
        yield start, array[start : start + step]
