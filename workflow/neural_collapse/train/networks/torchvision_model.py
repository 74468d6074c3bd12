"""Any classifier of torchvision.models by its name, untrained, with torchvision's own initialisation."""

import torch
from torch import nn

from ...errors import InputError
from ...vision import torchvision
from ._network import Network

OPTIONS = {}  # type: ignore[var-annotated]


def build(name: str, *, in_channels: int, classes: int, image_size: int) -> Network:
    """Take torchvision's model apart into all that comes before its last linear layer, and that layer.

    The last nn.Linear by the order of modules is the classifier, whatever it is called. Auxiliary classifiers
    (GoogLeNet, Inception) are left out: they would add terms to the loss.

    Raises
    ------
    InputError
        Where torchvision has no classifier of that name, where the model doesn't end in a linear layer, and where it
        can't take the images (most want three channels, some a size of their own).
    """
    known = torchvision.models.list_models(module=torchvision.models)
    if name not in known:
        raise InputError(
            f"no network named {name!r}; known: a depth of vgg, resnet or densenet, such as vgg11, and the classifiers "
            f"of torchvision.models: {', '.join(known)}."
        )
    network = _network(name, classes)
    _check(network, name, in_channels, image_size)
    return network


def _network(name: str, classes: int) -> Network:
    extra = {"aux_logits": False, "init_weights": True} if name in ("googlenet", "inception_v3") else {}
    model = torchvision.models.get_model(name, weights=None, num_classes=classes, **extra)
    linear = [path for path, module in model.named_modules() if isinstance(module, nn.Linear)]
    if not linear or model.get_submodule(linear[-1]).out_features != classes:
        raise InputError(f"{name}: has no last-layer features, because it does not end in a linear layer.")
    classifier = model.get_submodule(linear[-1])
    model.set_submodule(linear[-1], nn.Identity())
    return Network({"trunk": model}, classifier)


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
            f"{name}: can't take images of {in_channels} x {image_size} x {image_size} (channels x pixels): {reason}."
        ) from None
