"""SVHN, cropped house numbers: 32x32 colour, not balanced; the paper trains on 4,600 a class."""

from ..vision import torchvision
from ._torchvision import published_copy
from .preparation import RawDataset

PADDING = 0
TRAIN_PER_CLASS = 4600


def load(*, path, root) -> RawDataset:
    svhn = torchvision.datasets.SVHN
    checksums = {file: md5 for _, file, md5 in (svhn.split_list["train"], svhn.split_list["test"])}
    with published_copy("SVHN", root, checksums) as root:
        train, test = (svhn(str(root), split=split, download=True) for split in ("train", "test"))
    names = tuple(str(digit) for digit in range(10))
    return RawDataset(train.data, train.labels, test.data, test.labels, names)
