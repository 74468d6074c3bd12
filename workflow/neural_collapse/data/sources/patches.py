"""Patches of the two photographs that come with scikit-learn, a temple and a flower: 8x8 pixels, grey, no test set."""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_sample_images

from ..preparation import RawDataset

PADDING = 0
TRAIN_PER_CLASS = 100
PUBLISHED = {"channels": 1, "image_size": 8, "classes": 2, "train": 1000, "test": None}

_SIZE = 8  # pixels a side, as the digits of the same package
_PER_PHOTOGRAPH = 500  # of the 4,240 that lie side by side in each
_SEED = 0


def load(*, path: str | Path | None, root: str | Path | None) -> RawDataset:
    """Cut each photograph into squares, in the grey of ITU-R BT.601, and keep some, always the same."""
    generator = np.random.default_rng(_SEED)
    patches, names = [], []
    photographs = load_sample_images()
    for file, photograph in zip(photographs.filenames, photographs.images, strict=True):
        grey = np.rint(photograph @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
        rows, columns = (length // _SIZE for length in grey.shape)
        squares = grey[: rows * _SIZE, : columns * _SIZE].reshape(rows, _SIZE, columns, _SIZE).swapaxes(1, 2)
        chosen = np.sort(generator.permutation(rows * columns)[:_PER_PHOTOGRAPH])
        patches.append(squares.reshape(-1, 1, _SIZE, _SIZE)[chosen])
        names.append(Path(file).stem)
    labels = np.repeat(np.arange(len(names)), _PER_PHOTOGRAPH)
    return RawDataset(np.concatenate(patches), labels, None, None, tuple(names))
