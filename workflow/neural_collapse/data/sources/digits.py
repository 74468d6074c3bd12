"""The 1,797 handwritten digits that come with scikit-learn: 8x8 pixels, grey, no test set of their own."""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from ..preparation import RawDataset

PADDING = 0
TRAIN_PER_CLASS = 140
PUBLISHED = {"channels": 1, "image_size": 8, "classes": 10, "train": 1797, "test": None}


def load(*, path: str | Path | None, root: str | Path | None) -> RawDataset:
    """Read the digits, their 17 grey levels (0 to 16) spread over 0 to 255."""
    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)[:, None]
    names = tuple(str(name) for name in digits.target_names)
    return RawDataset(images, digits.target, None, None, names)
