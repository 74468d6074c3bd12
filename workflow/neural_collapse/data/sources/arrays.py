"""A user's own data: an .npz file with the arrays train_images, train_labels, test_images and test_labels.

Images are uint8 (0 to 255) and square, (N, H, W), (N, H, W, C) or (N, C, H, W) with C = 1 or 3 channels; labels are
whole numbers 0..C-1, (N,) or (N, 1). So MedMNIST's files, for example, work as they are; what else a file holds is not
read, and named.
"""

from pathlib import Path

import numpy as np

from ...errors import InputError
from ...npz import read_npz
from ..preparation import RawDataset, own_path

PADDING = 0
TRAIN_PER_CLASS = "all"
READS_PATH = True

_NAMES = ("train_images", "train_labels", "test_images", "test_labels")


def load(*, path: str | Path | None, root: str | Path | None) -> RawDataset:
    """Read the file.

    Raises
    ------
    InputError
        Where it is damaged, holds pickled objects or lacks an array.
    """
    if path is None:
        raise InputError("source 'arrays': `path`, the .npz file of your data, is missing; name one.")
    path = own_path(path)
    arrays = read_npz(path, _NAMES)
    train_labels, test_labels = (_flat(arrays[name]) for name in ("train_labels", "test_labels"))
    train_images, test_images = (_channels_first(arrays[name], name, path) for name in ("train_images", "test_images"))
    class_names = tuple(str(label) for label in range(len(np.unique(train_labels))))
    return RawDataset(train_images, train_labels, test_images, test_labels, class_names)


def _flat(labels: np.ndarray) -> np.ndarray:
    return labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels


def _channels_first(images: np.ndarray, name: str, path: Path) -> np.ndarray:
    """View images of any permitted layout as (N, C, H, W)."""
    if images.ndim == 3:
        return images[:, None]
    if images.ndim == 4:
        first, last = (images.shape[axis] in (1, 3) for axis in (1, 3))
        if first != last:
            return images if first else images.transpose(0, 3, 1, 2)
    raise InputError(
        f"{path}: {name} has the shape {images.shape}, but must be (N, H, W), (N, H, W, C) or (N, C, H, W) with C = 1 "
        "or 3."
    )
