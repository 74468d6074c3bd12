"""A prepared data set: what it holds, its file, and how its images enter a network.

`datasets/preparation.py` makes one from a source; every source is a module beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..storage import read_arrays, read_metadata, write_arrays

if TYPE_CHECKING:
    import torch

_ARRAYS = ("train_images", "train_labels", "test_images", "test_labels", "mean", "std")
_OPTIONAL = ("true_train_labels",)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Train and test examples as every later step reads them.

    Images are uint8 (N, C, H, W) with values 0 to 255, square, sub-sampled and padded; or features, float32
    (N, P, 1, 1). Labels are int64 (N,) and name
    places in `class_names`. `mean` and `std`, float64 (C,), are each channel's over the pixels of all train images, in
    units where 255 is 1. `true_train_labels`, int64 (N,), where some of `train_labels` were replaced by wrong ones.
    """

    name: str
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    class_names: tuple[str, ...]
    mean: np.ndarray
    std: np.ndarray
    true_train_labels: np.ndarray | None = None


def write_dataset(path: str | Path, dataset: Dataset) -> None:
    about = {"name": dataset.name, "class_names": dataset.class_names}
    arrays = {name: getattr(dataset, name) for name in (*_ARRAYS, *_OPTIONAL)}
    write_arrays(path, {name: array for name, array in arrays.items() if array is not None}, about)


def read_dataset(path: str | Path) -> Dataset:
    """Read a file of `write_dataset`.

    Raises
    ------
    InputError
        Where it is missing, damaged or something else.
    """
    arrays, metadata = read_arrays(path), read_metadata(path)
    names = metadata.get("class_names")
    if set(arrays) - set(_OPTIONAL) != set(_ARRAYS) or not isinstance(names, list) or not _is_whole(arrays, len(names)):
        raise InputError(f"{path}: not a prepared data set; make one with `python -m neural_collapse prepare-dataset`.")
    return Dataset(name=str(metadata.get("name")), class_names=tuple(map(str, names)), **arrays)


def _is_whole(arrays: dict[str, np.ndarray], classes: int) -> bool:
    """Whether the arrays are what `Dataset` says."""
    train, test = arrays["train_images"], arrays["test_images"]
    mean, std = arrays["mean"], arrays["std"]
    labelled = [(train, arrays["train_labels"]), (test, arrays["test_labels"])]
    if "true_train_labels" in arrays:
        labelled.append((train, arrays["true_train_labels"]))
    return (
        (
            train.dtype == test.dtype == np.uint8
            or (train.dtype == test.dtype == np.float32 and train.shape[2:] == (1, 1))
        )
        and train.ndim == test.ndim == 4
        and train.shape[1:] == test.shape[1:]
        and train.shape[2] == train.shape[3] > 0
        and all(
            labels.shape == images.shape[:1]
            and labels.dtype == np.int64
            and len(labels)
            and labels.min() >= 0
            and labels.max() < classes
            for images, labels in labelled
        )
        and mean.shape == std.shape == train.shape[1:2]
        and bool(np.isfinite(mean).all() and np.isfinite(std).all() and (std > 0).all())
    )


def standardise(images: torch.Tensor, mean: np.ndarray | torch.Tensor, std: np.ndarray | torch.Tensor) -> torch.Tensor:
    """Subtract each channel's mean and divide by its standard deviation, where the images are.

    Parameters
    ----------
    images: uint8 (N, C, H, W), or features float32 (N, P, 1, 1), on any device and in any memory format.
    mean: float64 (C,), as in `Dataset`. A tensor on the images' device spares the transfer (and so lets the call
        be part of a captured CUDA graph).
    std: float64 (C,), likewise.

    Returns
    -------
    float32 (N, C, H, W): (images / 255 - mean) / std, in the images' memory format.
    """
    import torch

    offset, scale = (
        torch.as_tensor(value, dtype=torch.float32, device=images.device).view(-1, 1, 1)
        for value in (255 * mean, 1 / (255 * std))
    )
    return images.to(torch.float32, copy=True).sub_(offset).mul_(scale)
