"""Networks that were trained elsewhere: their weights, taken from files of common kinds into a network of ours."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..errors import InputError, shortened
from .networks._network import Network

SUFFIXES = (".pt", ".pth", ".bin", ".ckpt", ".safetensors")
_NESTED = ("state_dict", "model_state_dict", "model")
_PREFIXES = ("module.", "_orig_mod.")  # of data parallelism, and of torch.compile


class Weights(NamedTuple):
    """The tensors of a network by their names, and the epoch that the file says they are of, if any."""

    tensors: dict[str, Tensor]
    epoch: int | None


def read_weights(path: Path) -> Weights:
    """Read weights that torch.save or safetensors wrote: a state dict, or one that lies under a name such as `model`.

    Nothing in the file is run, and it may hold more than weights as long as that is tensors, numbers and texts.

    Raises
    ------
    InputError
        One sentence, where it is no such file.
    """
    if path.suffix not in SUFFIXES:
        raise InputError(f"{path}: weights are read from {', '.join(SUFFIXES)}.")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            saved: Any = load_file(path)
        else:
            saved = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # each format has errors of its own, and a pickle of anything else any
        reason = shortened(" ".join(str(error).split()), 200)
        raise InputError(f"{path}: can't be read ({reason}); save the network's state_dict() alone.") from None
    epoch = saved.get("epoch") if isinstance(saved, Mapping) else None
    state = saved
    for name in _NESTED:
        if isinstance(state, Mapping) and isinstance(state.get(name), Mapping):
            state = state[name]
            break
    if not isinstance(state, Mapping) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise InputError(f"{path}: holds no weights by their names; save the network's state_dict().")
    tensors = {_plain(str(name)): value for name, value in state.items()}
    return Weights(tensors, epoch if isinstance(epoch, int) and not isinstance(epoch, bool) else None)


def _plain(name: str) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name


def load_into(network: Network, weights: Weights, path: Path) -> None:
    """Give a network the weights of a file, by its own names or by those of the model that it was made of.

    Raises
    ------
    InputError
        One sentence, where they are those of another network.
    """
    state = _renamed(weights.tensors, network)
    own = network.state_dict()
    absent = sorted(map(_theirs, own.keys() - state.keys()))
    foreign = sorted(map(_theirs, state.keys() - own.keys()))
    if absent or foreign:
        found = [f"it lacks {_some(absent)}"] * bool(absent) + [f"it has {_some(foreign)} more"] * bool(foreign)
        raise InputError(f"{path}: not the weights of this network: {' and '.join(found)}.")
    for name, tensor in own.items():
        if state[name].shape != tensor.shape:
            shapes = f"{tuple(state[name].shape)}, not {tuple(tensor.shape)}"
            raise InputError(f"{path}: not the weights of this network: {_theirs(name)} has the shape {shapes}.")
    network.load_state_dict(state)


def _renamed(tensors: dict[str, Tensor], network: Network) -> dict[str, Tensor]:
    """The weights by the network's own names; those of a model taken apart are the trunk's, and its last layer's."""
    trunk = getattr(network.stages, "trunk", None)
    if trunk is None or tensors.keys() == network.state_dict().keys():
        return tensors
    inside = trunk.state_dict().keys()
    rest = [name for name in tensors if name not in inside]
    layers = {name.rpartition(".")[0] for name in rest}
    head = {name: f"classifier.{name.rpartition('.')[2]}" for name in rest} if len(layers) == 1 else {}
    return {head.get(name, f"stages.trunk.{name}" if name in inside else name): of for name, of in tensors.items()}


def _theirs(name: str) -> str:
    """What a weight of a model that was taken apart is called there."""
    return name.removeprefix("stages.trunk.")


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
