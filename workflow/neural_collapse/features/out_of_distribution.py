"""What a network makes of images of its own data and of others, example by example: all that scores need, kept once.

Features of up to 512 numbers are kept as they are. Longer ones are given by their coordinates along 512 axes and more,
an orthonormal basis of a space that holds class means, means of the other images, the classifier's rows and the leading
principal axes of the train features; how far each example is outside that space is kept beside them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..storage import read_arrays, read_metadata, write_arrays
from .products import add_squares

_LARGEST = float(np.finfo(np.float32).max)
AXES = 512  # of features kept as they are, and principal axes of longer ones; as many as classes where these are more


@dataclass(frozen=True, eq=False)
class Examples:
    """Features h of N images, float32.

    coordinates: of h along the axes of an epoch, (N, D); residuals: ‖h‖_2 outside of these, (N,); sizes: ‖h‖_1 of all
    of h, (N,), which other axes than its own do not give.
    """

    coordinates: np.ndarray
    residuals: np.ndarray
    sizes: np.ndarray


@dataclass(frozen=True, eq=False)
class Outlook:
    """Of one epoch: examples by what they are of, "train" and "test", and behind them the data out of distribution.

    labels: of the train examples, (N,) int64, 0..C-1.
    weight: W (C, D), along the same axes, float64; bias: (C,), zeros for a classifier without.
    """

    examples: dict[str, Examples]
    labels: np.ndarray
    weight: np.ndarray
    bias: np.ndarray


def along_axes(
    features: Mapping[str, np.ndarray], labels: np.ndarray, weight: np.ndarray, bias: np.ndarray | None
) -> Outlook:
    """Give features the coordinates that are kept.

    Parameters
    ----------
    features: float32 (N, P) by what they are of, "train" among them.
    labels: of the train examples, (N,) int64; every class has one.
    weight, bias: W (C, P), b (C,), float64.
    """
    basis = _basis(features, labels, weight)
    examples = {}
    for name, rows in features.items():
        coordinates, residuals = rows, np.zeros(len(rows), dtype=np.float32)
        if basis is not None:
            exact = rows @ basis
            coordinates = exact.astype(np.float32)
            residuals = np.linalg.norm(rows - exact @ basis.T, axis=1).astype(np.float32)
        sizes = np.abs(rows).sum(1, dtype=np.float64).astype(np.float32)
        examples[name] = Examples(coordinates, residuals, sizes)
    return Outlook(
        examples, labels, weight if basis is None else weight @ basis, np.zeros(len(weight)) if bias is None else bias
    )


def _basis(features: Mapping[str, np.ndarray], labels: np.ndarray, weight: np.ndarray) -> np.ndarray | None:
    """Axes as columns (P, D), float64; None where the features' own do."""
    length, axes = weight.shape[1], max(AXES, len(weight))
    if length <= axes:
        return None
    train = features["train"]
    means = [train[labels == class_].mean(0, dtype=np.float64) for class_ in range(len(weight))]
    means += [rows.mean(0, dtype=np.float64) for rows in features.values()]
    covariance = add_squares(np.zeros((length, length), order="F"), train - train.mean(0, dtype=np.float64))
    principal = np.linalg.eigh(covariance, UPLO="U")[1][:, : -axes - 1 : -1]
    return np.linalg.qr(np.column_stack([*means, *weight, principal]))[0]


def write_outlooks(path: str | Path, epochs: Iterable[int], outlooks: Iterable[Outlook]) -> None:
    """Write what was kept of each epoch as one safetensors file."""
    arrays: dict[str, np.ndarray] = {}
    names: list[str] = []
    epochs = list(epochs)
    for epoch, outlook in zip(epochs, outlooks, strict=True):
        names = list(outlook.examples)
        arrays |= {f"{epoch}/{name}": getattr(outlook, name) for name in ("labels", "weight", "bias")}
        for name, examples in outlook.examples.items():
            arrays |= {f"{epoch}/{name}/{part}": array for part, array in vars(examples).items()}
    write_arrays(path, arrays, {"epochs": epochs, "examples": names})


def read_outlooks(path: str | Path) -> Iterator[tuple[int, Outlook]]:
    """Give epoch and what was kept of it, in order.

    Raises
    ------
    InputError
        Where the file is no such, or damaged.
    """
    arrays, about = read_arrays(path), read_metadata(path)
    broken = InputError(
        f"{path}: not what networks make of data out of distribution, or not all of it; make it with `python -m "
        "neural_collapse extract-out-of-distribution`."
    )
    epochs, names = about.get("epochs"), about.get("examples")
    if not isinstance(epochs, list) or not isinstance(names, list) or names[:2] != ["train", "test"]:
        raise broken
    for epoch in epochs:
        try:
            examples = {
                name: Examples(*(arrays[f"{epoch}/{name}/{part}"] for part in ("coordinates", "residuals", "sizes")))
                for name in names
            }
            outlook = Outlook(examples, *(arrays[f"{epoch}/{part}"] for part in ("labels", "weight", "bias")))
        except KeyError:
            raise broken from None
        if not _is_whole(outlook):
            raise broken
        yield int(epoch), outlook


def _is_whole(outlook: Outlook) -> bool:
    """Whether shapes and types fit each other, every class has an example, and every number fits float32."""
    labels, weight, bias = outlook.labels, outlook.weight, outlook.bias
    if weight.ndim != 2 or bias.shape != weight.shape[:1] or labels.dtype != np.int64 or len(weight) < 2:
        return False
    if labels.shape != outlook.examples["train"].residuals.shape or set(labels.tolist()) != set(range(len(weight))):
        return False
    numbers = [weight, bias]
    for examples in outlook.examples.values():
        count = len(examples.residuals)
        if not count or examples.sizes.shape != (count,) or examples.coordinates.shape != (count, weight.shape[1]):
            return False
        numbers += [examples.coordinates, examples.residuals, examples.sizes]
    return all(array.dtype.kind == "f" and bool((np.abs(array) <= _LARGEST).all()) for array in numbers)
