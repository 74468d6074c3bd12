"""MNIST: handwritten digits, 28x28 grey; the paper pads them to 32x32 and trains on 5,000 a class."""

from pathlib import Path

from ...vision import torchvision
from ..preparation import RawDataset
from ._torchvision import load_idx

PADDING = 2
TRAIN_PER_CLASS = 5000
PUBLISHED = {"channels": 1, "image_size": 28, "classes": 10, "train": 60_000, "test": 10_000}

MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


def load(*, path: str | Path | None, root: str | Path | None) -> RawDataset:
    """Read the copy at `root`, downloaded where there is none."""
    return load_idx(torchvision.datasets.MNIST, MD5, root)
