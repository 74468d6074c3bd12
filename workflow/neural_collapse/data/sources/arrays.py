"""A user's own data: an .npz file with the arrays train_images, train_labels, test_images and test_labels.

Or train_features and test_features, real numbers (N, P), in place of the images: P channels of a single pixel, for
networks that are made for that (`perceptron2`).

Images are uint8 (0 to 255) and square, (N, H, W), (N, H, W, C) or (N, C, H, W) with C = 1 or 3 channels; labels are
whole numbers 0..C-1, (N,) or (N, 1). So MedMNIST's files, for example, work as they are; what else a file holds is not
read, and named.
"""

import zipfile
from pathlib import Path

import numpy as np

from ...errors import InputError
from ...npz import read_npz
from ..preparation import RawDataset, own_path

PADDING = 0
TRAIN_PER_CLASS = "all"
READS_PATH = True

_NAMES = ("train_images", "train_labels", "test_images", "test_labels")
_NAMES_OF_FEATURES = ("train_features", "train_labels", "test_features", "test_labels")


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
    names = _NAMES_OF_FEATURES if _holds_features(path) else _NAMES
    arrays = read_npz(path, names)
    train_labels, test_labels = (_flat(arrays[name]) for name in ("train_labels", "test_labels"))
    shaped = _as_pixels if names is _NAMES_OF_FEATURES else _channels_first
    train_images, test_images = (shaped(arrays[name], name, path) for name in names[::2])
    class_names = tuple(str(label) for label in range(len(np.unique(train_labels))))
    return RawDataset(train_images, train_labels, test_images, test_labels, class_names)


def _flat(labels: np.ndarray) -> np.ndarray:
    return labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels


def _holds_features(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return "train_features.npy" in archive.namelist()
    except Exception:  # damaged in any of many ways, which `read_npz` puts into words
        return False


def _as_pixels(features: np.ndarray, name: str, path: Path) -> np.ndarray:
    """Features (N, P) as float32 (N, P, 1, 1)."""
    if features.ndim != 2 or features.dtype.kind not in "fiu":
        raise InputError(f"{path}: {name} must be real numbers (N, P), found {features.dtype} {features.shape}.")
    with np.errstate(over="ignore"):  # what float32 can't hold is infinite, and refused
        return features.astype(np.float32)[:, :, None, None]


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
