"""STL10: 96x96 colour photographs, 500 a class."""

from pathlib import Path

from ...vision import torchvision
from ..preparation import RawDataset
from ._torchvision import published_copy

PADDING = 0
TRAIN_PER_CLASS = "all"
PUBLISHED = {"channels": 3, "image_size": 96, "classes": 10, "train": 5_000, "test": 8_000}


class _LabelledSTL10(torchvision.datasets.STL10):
    """STL10 without its 100,000 unlabelled images (2.8 GB), which a copy need not hold and nobody need verify."""

    train_list = torchvision.datasets.STL10.train_list[:2]


def load(*, path: str | Path | None, root: str | Path | None) -> RawDataset:
    files = [*_LabelledSTL10.train_list, *_LabelledSTL10.test_list]
    checksums = {f"{_LabelledSTL10.base_folder}/{file}": md5 for file, md5 in files}
    with published_copy("STL10", root, checksums) as root:
        train, test = (_LabelledSTL10(str(root), split=split, download=True) for split in ("train", "test"))
    names = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")
    return RawDataset(train.data, train.labels, test.data, test.labels, names)
