"""Networks at their measured epochs: written by the training, rebuilt from the file alone by whoever measures them."""

from pathlib import Path

import numpy as np
import torch

from ..config.checks import check_setting
from ..data.dataset import Dataset
from ..errors import InputError
from ..storage import read_arrays, read_metadata, write_arrays
from .networks import build
from .networks._network import Network

_COUNT = {"type": "integer", "minimum": 1, "maximum": 1_000_000}
_FACTS = {  # what a file says besides its arrays
    "epoch": _COUNT,
    "name": {"type": "string"},
    "in_channels": _COUNT,
    "classes": _COUNT | {"minimum": 2},
    "image_size": _COUNT | {"maximum": 10_000},
    "options": {"type": "object"},
}


def write_checkpoint(path: str | Path, network: Network, *, epoch: int, architecture: dict) -> None:
    """Write a network's parameters and buffers, the epoch, and the arguments `networks.build` needs to rebuild it.

    `architecture` holds `name`, `in_channels`, `classes`, `image_size` and `options` (a dictionary).
    """
    arrays = {name: tensor.cpu().numpy() for name, tensor in network.state_dict().items()}
    write_arrays(path, arrays, {"epoch": epoch, "architecture": architecture})


def load_network(path: str | Path, dataset: Dataset | None = None) -> tuple[Network, int]:
    """Rebuild the network of a checkpoint, in eval mode on the CPU; returns it and its epoch (from 1).

    Raises
    ------
    InputError
        Where the file is missing, damaged, no checkpoint of a network this version knows, or not of images and classes
        like those of `dataset`, where one is given.
    """
    metadata = read_metadata(path)
    architecture = metadata.get("architecture")
    if not isinstance(architecture, dict) or set(architecture) | {"epoch"} != set(_FACTS):
        raise InputError(f"{path}: not a checkpoint of a training (it names no epoch and architecture).")
    for name, schema in _FACTS.items():
        check_setting(f"{path}: {name}", (architecture | {"epoch": metadata.get("epoch")})[name], schema)
    if dataset is not None:
        _check_fit(path, architecture, dataset)
    options = architecture.pop("options")
    network = build(**architecture, seed=0, **options)
    arrays = read_arrays(path)
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise InputError(f"{path}: {name} is not finite; the training diverged, or the file is damaged.")
    try:
        network.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    except (RuntimeError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: its arrays do not fit the network {architecture['name']!r} ({reason}).") from None
    return network.eval(), metadata["epoch"]


def _check_fit(path: str | Path, architecture: dict, dataset: Dataset) -> None:
    _, channels, image_size, _ = dataset.train_images.shape
    expected = {"in_channels": channels, "image_size": image_size, "classes": len(dataset.class_names)}
    for name, value in expected.items():
        if architecture[name] != value:
            raise InputError(
                f"{path}: a network for other data than '{dataset.name}': its {name} is {architecture[name]}, not "
                f"{value}."
            )
