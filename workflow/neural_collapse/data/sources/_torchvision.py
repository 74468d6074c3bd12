"""What the sources from torchvision share: one verified copy in a folder, and the formats that two of them have.

The copy lies where torchvision itself puts it: `root` is what one would pass to `torchvision.datasets`. What is there
already is used without a network; only what is missing is downloaded.
"""

import contextlib
import http.client
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ...errors import InputError
from ...vision import torchvision
from ..preparation import RawDataset


@contextlib.contextmanager
def published_copy(name: str, root: str | Path | None, checksums: dict[str, str]) -> Iterator[Path]:
    """Give `root` to a block that reads (or first downloads) a data set through torchvision.

    Parameters
    ----------
    name: the data set, for errors.
    root: the folder of torchvision's data sets.
    checksums: the MD5 of every file that the block reads, by its path in `root`.

    Raises
    ------
    InputError
        Where a file differs from the published one (it is never overwritten, nor read: some are pickles),
        or the block could neither read nor download it.
    """
    if root is None:
        raise InputError(f"{name}: `root`, the folder of torchvision's data sets, is missing; name one.")
    root = Path(root).expanduser()
    try:
        for file, md5 in checksums.items():
            if (root / file).exists() and torchvision.datasets.utils.calculate_md5(root / file) != md5:
                raise InputError(
                    f"{root / file}: truncated or altered, its MD5 checksum is not the published one; delete it, and "
                    "it is downloaded again."
                )
        yield root
    except (RuntimeError, OSError, http.client.HTTPException) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise InputError(
            f"{root}: {name} can't be read or downloaded there ({reason}); connect to the network and try again, or "
            "copy torchvision's files there."
        ) from None


def load_idx(data_set: type, checksums: dict[str, str], root: str | Path | None) -> RawDataset:
    """Read MNIST, or a data set that looks like it, from its four idx files.

    Parameters
    ----------
    data_set: torchvision's class of it.
    checksums: the MD5 of each *extracted* file by its name: torchvision verifies only the archives.
    root: the folder of torchvision's data sets.
    """
    name = data_set.__name__
    idx = torchvision.datasets.mnist
    with published_copy(name, root, {f"{name}/raw/{file}": md5 for file, md5 in checksums.items()}) as root:
        # Not `data_set(...)`, which unpickles what an old version may have left in `processed`, unverified.
        downloads = data_set.__new__(data_set)
        downloads.root = str(root)
        downloads.download()
        raw = root / name / "raw"
        images, labels = (
            [read(str(raw / f"{split}-{kind}-ubyte")).numpy() for split in ("train", "t10k")]
            for read, kind in ((idx.read_image_file, "images-idx3"), (idx.read_label_file, "labels-idx1"))
        )
    return RawDataset(images[0][:, None], labels[0], images[1][:, None], labels[1], tuple(data_set.classes))


def load_cifar(data_set: type, root: str | Path | None) -> RawDataset:
    """Read CIFAR10 or CIFAR100 (`data_set`: torchvision's class) from its pickles, verified before they are opened."""
    batches = [*data_set.train_list, *data_set.test_list, (data_set.meta["filename"], data_set.meta["md5"])]
    checksums = {f"{data_set.base_folder}/{file}": md5 for file, md5 in batches}
    with published_copy(data_set.__name__, root, checksums) as root:
        train, test = (data_set(str(root), train=split, download=True) for split in (True, False))
    return RawDataset(
        train.data.transpose(0, 3, 1, 2),
        np.array(train.targets),
        test.data.transpose(0, 3, 1, 2),
        np.array(test.targets),
        tuple(train.classes),
    )
