"""FashionMNIST: articles of clothing, 28x28 grey, 6,000 a class; the paper pads them to 32x32."""

from pathlib import Path

from ...vision import torchvision
from ..preparation import RawDataset
from ._torchvision import load_idx

PADDING = 2
TRAIN_PER_CLASS = "all"
PUBLISHED = {"channels": 1, "image_size": 28, "classes": 10, "train": 60_000, "test": 10_000}

MD5 = {
    "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
    "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
    "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
}


def load(*, path: str | Path | None, root: str | Path | None) -> RawDataset:
    """Read the copy at `root`, downloaded where there is none."""
    return load_idx(torchvision.datasets.FashionMNIST, MD5, root)
