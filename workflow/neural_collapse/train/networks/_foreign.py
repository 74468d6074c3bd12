"""Networks of other libraries, taken apart into all that comes before their last linear layer, and that layer."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...errors import InputError
from ._network import Network


def take_apart(model: nn.Module, name: str, *, in_channels: int, classes: int, image_size: int) -> Network:
    """Give a model as a `Network`; its last nn.Linear by the order of modules is the classifier, whatever its name.

    Raises
    ------
    InputError
        Where the model doesn't end in a linear layer, and where it can't take the images.
    """
    path = _last_linear(model)
    if path is None or model.get_submodule(path).out_features != classes:
        raise InputError(f"{name}: has no last-layer features, because it does not end in a linear layer.")
    classifier = model.get_submodule(path)
    model.set_submodule(path, nn.Identity())
    network = Network({"trunk": model}, classifier)
    _check(network, name, in_channels, image_size)
    return network


def renew_classifier(model: nn.Module, classes: int) -> None:
    """Put a fresh last linear layer, of as many outputs, in the place of one that was trained on other classes."""
    path = _last_linear(model)
    if path is not None:
        old = model.get_submodule(path)
        model.set_submodule(path, nn.Linear(old.in_features, classes, bias=old.bias is not None))


def load_weights(model: nn.Module, name: str, file: str) -> None:
    """Load weights from a file of torch.save or safetensors; the last linear layer stays fresh if its shape differs.

    Raises
    ------
    InputError
        Where there is no such file, or its weights are those of another model.
    """
    path = Path(file).expanduser()
    if not path.is_file():
        raise InputError(f"{name}.weights: {file} is neither the name of published weights nor a file.")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state: Any = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
        state = state.get("state_dict", state.get("model", state))
        state = {key.removeprefix("module."): value for key, value in state.items()}
        if head := _last_linear(model):
            wanted = model.get_submodule(head).weight.shape
            if f"{head}.weight" in state and state[f"{head}.weight"].shape != wanted:
                own = {key: value for key, value in model.state_dict().items() if key.startswith(f"{head}.")}
                state |= own
        model.load_state_dict(state)
    except Exception as error:  # each format has errors of its own, and a pickle of anything else any
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"{name}.weights: {file} does not hold the weights of this network ({reason}).") from None


def _last_linear(model: nn.Module) -> str | None:
    linear = [path for path, module in model.named_modules() if isinstance(module, nn.Linear)]
    return linear[-1] if linear else None


def _check(network: Network, name: str, in_channels: int, image_size: int) -> None:
    """Send the shape of two images through the network, without computing anything."""
    tensors = [*network.named_parameters(), *network.named_buffers()]
    shapes = {path: tensor.to("meta") for path, tensor in tensors}
    images = torch.empty(2, in_channels, image_size, image_size, device="meta")
    try:
        torch.func.functional_call(network, shapes, images)
    except Exception as error:  # whatever the model raises for images it can't take
        reason = " ".join(str(error).split()).rstrip(".")
        raise InputError(
            f"{name}: can't take images of {in_channels} x {image_size} x {image_size} (channels x pixels): {reason}; "
            "`resize` and `padding` of the data set change their size."
        ) from None
