"""Networks at their measured epochs: written by the training, rebuilt from the file alone by whoever measures them."""

from pathlib import Path

import torch

from ..errors import InputError
from ..storage import read_arrays, read_metadata, write_arrays
from .networks import build
from .networks._network import Network


def write_checkpoint(path: str | Path, network: Network, *, epoch: int, architecture: dict) -> None:
    """Write a network's parameters and buffers, the epoch, and the arguments `networks.build` needs to rebuild it.

    `architecture` holds `name`, `in_channels`, `classes`, `image_size` and `options` (a dictionary).
    """
    arrays = {name: tensor.cpu().numpy() for name, tensor in network.state_dict().items()}
    write_arrays(path, arrays, {"epoch": epoch, "architecture": architecture})


def load_network(path: str | Path) -> tuple[Network, int]:
    """Rebuild the network of a checkpoint, in eval mode on the CPU; returns it and its epoch (from 1).

    Raises InputError where the file is missing, damaged, or no checkpoint of a network this version knows.
    """
    metadata = read_metadata(path)
    if not {"epoch", "architecture"} <= metadata.keys():
        raise InputError(f"{path}: not a checkpoint of a training (it names no epoch and architecture).")
    architecture = metadata["architecture"]
    options = architecture.pop("options")
    network = build(**architecture, seed=0, **options)
    state = {name: torch.from_numpy(array) for name, array in read_arrays(path).items()}
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: its arrays do not fit the network {architecture['name']!r} ({reason}).") from None
    return network.eval(), metadata["epoch"]
