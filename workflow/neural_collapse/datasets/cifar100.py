"""CIFAR100: 32x32 colour photographs, 500 a class; not in the paper, it serves studies of many classes."""

from ..vision import torchvision
from ._torchvision import load_cifar
from .preparation import RawDataset

PADDING = 0
TRAIN_PER_CLASS = "all"


def load(*, path, root) -> RawDataset:
    return load_cifar(torchvision.datasets.CIFAR100, root)
