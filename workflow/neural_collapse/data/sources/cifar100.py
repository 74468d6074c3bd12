"""CIFAR100: 32x32 colour photographs, 500 a class; not in the paper, it serves studies of many classes."""

from pathlib import Path

from ...vision import torchvision
from ..preparation import RawDataset
from ._torchvision import load_cifar

PADDING = 0
TRAIN_PER_CLASS = "all"
PUBLISHED = {"channels": 3, "image_size": 32, "classes": 100, "train": 50_000, "test": 10_000}


def load(*, path: str | Path | None, root: str | Path | None) -> RawDataset:
    """Read the copy at `root`, downloaded where there is none."""
    return load_cifar(torchvision.datasets.CIFAR100, root)
