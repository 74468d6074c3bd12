"""What every network of this package is: stages in a row, and the last linear layer after them."""

import torch
from torch import Tensor, nn

SMALL_IMAGE = 32
"""Up to this size (pixels a side) a network keeps the resolution in its stem, as published for CIFAR; larger images
get the stem published for ImageNet, which divides it by four."""


class Network(nn.Module):
    """Stages, the last of which gives the last-layer features (N, P), and the classifier, one nn.Linear (P -> C).

    Parameters
    ----------
    stages: by name, in the order they are applied; maps (N, p, h, w), or vectors (N, p), pass between them.
    classifier: the last linear layer; its weight (C, P) and bias (C,) are the W and b of neural collapse.
    """

    def __init__(self, stages: dict[str, nn.Module], classifier: nn.Linear):
        super().__init__()
        self.stages = nn.Sequential()
        for name, stage in stages.items():
            self.stages.add_module(name, stage)
        self.classifier = classifier

    def features(self, images: Tensor) -> Tensor:
        """Last-layer features (N, P) of images (N, channels, height, width): the input of the classifier."""
        return self.stages(images)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, C)."""
        return self.classifier(self.features(images))

    def layers(self, images: Tensor) -> dict[str, Tensor]:
        """Activations (N, p) at the end of each stage, maps averaged over their pixels; the last are the features."""
        activations = {}
        for name, stage in self.stages.named_children():
            images = stage(images)
            activations[name] = images.mean(dim=(2, 3)) if images.ndim == 4 else images
        return activations


class GlobalAveragePool(nn.Module):
    """Average of maps (N, p, h, w) over their pixels, as vectors (N, p)."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps.mean(dim=(2, 3))


@torch.no_grad()
def initialise(network: Network) -> Network:
    """Draw the initial weights, in place: He normal (fan-out) for all that batch norm follows; N(0, 0.01) at the end.

    Biases are 0 and batch norms scale by 1 and shift by 0. He et al. 2015 (arXiv 1502.01852), as torchvision does.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear) and module is not network.classifier:
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    nn.init.normal_(network.classifier.weight, std=0.01)
    nn.init.zeros_(network.classifier.bias)
    return network


def scaled(channels: int, width: float) -> int:
    """A published number of channels times the option `width`, rounded, at least 1."""
    return max(1, round(channels * width))
