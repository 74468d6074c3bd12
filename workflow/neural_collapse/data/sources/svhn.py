"""SVHN, cropped house numbers: 32x32 colour, not balanced; the paper trains on 4,600 a class."""

from pathlib import Path

from ...vision import torchvision
from ..preparation import RawDataset
from ._torchvision import published_copy

PADDING = 0
TRAIN_PER_CLASS = 4600
PUBLISHED = {"channels": 3, "image_size": 32, "classes": 10, "train": 73_257, "test": 26_032}


def load(*, path: str | Path | None, root: str | Path | None) -> RawDataset:
    svhn = torchvision.datasets.SVHN
    checksums = {file: md5 for _, file, md5 in (svhn.split_list["train"], svhn.split_list["test"])}
    with published_copy("SVHN", root, checksums) as root:
        train, test = (svhn(str(root), split=split, download=True) for split in ("train", "test"))
    names = tuple(str(digit) for digit in range(10))
    return RawDataset(train.data, train.labels, test.data, test.labels, names)
