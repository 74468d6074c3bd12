"""What every network of this package can be varied in: batch norm, and how its features reach the logits.

`vary` changes a network that its family has built. Nothing is drawn where no option is set, and what stays has the same
weights.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...errors import InputError
from ._network import Network

OPTIONS = {
    "batch_norm": {"type": "boolean"},
    "bottleneck": {"type": "integer", "minimum": 2, "maximum": 65536},
    "normalise_features": {"type": "boolean"},
    "classifier": {"enum": ["linear", "fixed_etf"]},
    "classifier_bias": {"type": "boolean"},
}


@torch.no_grad()
def vary(
    network: Network,
    *,
    in_channels: int,
    image_size: int,
    batch_norm: bool = True,
    bottleneck: int | None = None,
    normalise_features: bool = False,
    classifier: str = "linear",
    classifier_bias: bool = True,
) -> Network:
    """Change a network with its initial weights, in place.

    Parameters
    ----------
    batch_norm: False takes every batch norm out; its shift stays, a bias, and weights are scaled anew
        (`_without_batch_norm`).
    bottleneck: P, the outputs of a linear layer (with bias, no ReLU) before the classifier, which are then the
        features. Its weights are drawn from N(0, 1/inputs).
    normalise_features: whether features are scaled to length 1, the last thing before the classifier.
    classifier: "fixed_etf" for rows that are a simplex equiangular tight frame of length 1, in a random orientation,
        and never trained (Zhu et al. 2021, arXiv 2105.02375, section 4.3); no weight decay acts on them.
    classifier_bias: whether the classifier has a bias, trained even beside fixed rows.

    Raises
    ------
    InputError
        Where an equiangular tight frame has no room: C > P + 1.
    """
    if not batch_norm:
        _without_batch_norm(network, in_channels, image_size)
    old = network.classifier
    features = old.in_features
    if bottleneck is not None:
        layer = nn.Linear(features, bottleneck)
        nn.init.normal_(layer.weight, std=1 / math.sqrt(features))
        nn.init.zeros_(layer.bias)
        network.stages.add_module("bottleneck", layer)
        features = bottleneck
    if normalise_features:
        network.stages.add_module("normalised", _UnitLength())
    if classifier == "fixed_etf":
        network.classifier = _FixedClassifier(_simplex(old.out_features, features), classifier_bias)
    elif bottleneck is not None or not classifier_bias:
        network.classifier = nn.Linear(features, old.out_features, bias=classifier_bias)
        if bottleneck is None:
            network.classifier.weight.copy_(old.weight)
        else:
            nn.init.normal_(network.classifier.weight, std=0.01)
        if classifier_bias:
            nn.init.zeros_(network.classifier.bias)
    return network


class _UnitLength(nn.Module):
    """Features (N, P) scaled to length 1; where they are all but 0, to less, or their gradient would have no bound."""

    def forward(self, features: Tensor) -> Tensor:
        return F.normalize(features, eps=0.1)


class _FixedClassifier(nn.Linear):
    """A linear layer whose weight is a buffer: kept with the network, but neither trained nor decayed."""

    def __init__(self, weight: Tensor, bias: bool):
        super().__init__(weight.shape[1], weight.shape[0], bias=bias)
        del self.weight
        self.register_buffer("weight", weight)
        if bias:
            nn.init.zeros_(self.bias)


def _simplex(classes: int, features: int) -> Tensor:
    """Rows (C, P) of length 1, every two at the cosine -1/(C-1), in a random orientation."""
    if features < classes - 1:
        raise InputError(
            f"classifier: fixed_etf of {classes} classes needs at least {classes - 1} features, found {features}."
        )
    centred = torch.eye(classes, dtype=torch.float64) - 1 / classes
    span, _ = torch.linalg.qr(centred[:, :-1])  # (C, C-1), orthonormal and orthogonal to (1, ..., 1)
    axes, _ = torch.linalg.qr(torch.randn(features, classes - 1, dtype=torch.float64))
    return (math.sqrt(classes / (classes - 1)) * span @ axes.T).float()


class _Shift(nn.Module):
    """What is left of a batch norm without its normalisation: a bias a channel, of maps (N, p, h, w) or (N, p)."""

    def __init__(self, channels: int):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, maps: Tensor) -> Tensor:
        return maps + self.bias.view(-1, *[1] * (maps.ndim - 2))


def _without_batch_norm(network: Network, in_channels: int, image_size: int) -> None:
    """Take every batch norm out, and draw the weights so that a network trains without.

    One after the other, layers are scaled to outputs of unit variance, of standard normal images (LSUV: Mishkin, Matas
    2016, arXiv 1511.06422). Of R residual branches of m layers, the last layer starts at zero, and the others are
    scaled by R^(-1/(2m-2)) (Fixup: Zhang, Dauphin, Ma 2019, arXiv 1901.09321). A branch is called `residual`.
    """
    norms = [path for path, module in network.named_modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    for path in norms:
        network.set_submodule(path, _Shift(network.get_submodule(path).num_features))
    scales: dict[nn.Module, float] = {
        module: 1.0
        for module in network.modules()
        if isinstance(module, nn.Conv2d | nn.Linear) and module is not network.classifier
    }
    branches = [module for path, module in network.named_modules() if path.rpartition(".")[2] == "residual"]
    for branch in branches:
        *inner, last = [module for module in branch.modules() if module in scales]
        scales |= dict.fromkeys(inner, len(branches) ** (-1 / (2 * len(inner)))) | {last: 0.0}

    def to_unit_variance(layer: nn.Module, _: tuple[Tensor], outputs: Tensor) -> Tensor:
        scale = scales[layer] / outputs.std()
        layer.weight *= scale
        return outputs * scale

    hooks = [layer.register_forward_hook(to_unit_variance) for layer in scales]
    network.features(torch.randn(_NOISE, in_channels, image_size, image_size))
    for hook in hooks:
        hook.remove()


_NOISE = 64  # images
