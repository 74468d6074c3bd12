"""A user's own data: an .npz file with the arrays train_images, train_labels, test_images and test_labels.

Images are uint8 (0 to 255) and square, (N, H, W), (N, H, W, C) or (N, C, H, W) with C = 1 or 3 channels; labels are
whole numbers 0..C-1, (N,) or (N, 1). So MedMNIST's files, for example, work as they are.
"""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from ..errors import InputError
from .preparation import RawDataset

PADDING = 0
TRAIN_PER_CLASS = "all"

_NAMES = ("train_images", "train_labels", "test_images", "test_labels")


def load(*, path, root) -> RawDataset:
    """Read the file; raises InputError where it is damaged, holds pickled objects or lacks an array."""
    if path is None:
        raise InputError("source 'arrays': `path`, the .npz file of your data, is missing; name one.")
    path = Path(path).expanduser()
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; `path` must name the .npz file of your data.")
    try:
        with zipfile.ZipFile(path):  # numpy would take other kinds of files as well
            pass
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in _NAMES if name in file}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(
            f"{path}: not a whole .npz file of plain arrays ({error}); save it with numpy.savez."
        ) from None
    for name in _NAMES:
        if name not in arrays:
            raise InputError(f"{path}: the array {name} is missing; there must be {', '.join(_NAMES)}.")
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
