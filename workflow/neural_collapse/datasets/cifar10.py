"""CIFAR10: 32x32 colour photographs, 5,000 a class."""

from ..vision import torchvision
from ._torchvision import load_cifar
from .preparation import RawDataset

PADDING = 0
TRAIN_PER_CLASS = "all"


def load(*, path, root) -> RawDataset:
    return load_cifar(torchvision.datasets.CIFAR10, root)
