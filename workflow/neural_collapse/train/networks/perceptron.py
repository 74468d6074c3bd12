"""Multi-layer perceptrons, on features that are no image or on pixels: linear layers, batch norm and ReLU."""

from itertools import pairwise

from torch import nn

from ._network import Network, initialise

DEPTHS = (2, 3, 4, 5, 6)
OPTIONS = {"features": {"type": "integer", "minimum": 2, "maximum": 1_000_000}}


def build(depth: int, *, in_channels: int, classes: int, image_size: int, features: int = 128) -> Network:
    """Build `depth` - 1 hidden layers of `features` units each, and the classifier."""
    sizes = [in_channels * image_size**2] + [features] * (depth - 1)
    layers = [
        nn.Sequential(nn.Linear(*pair, bias=False), nn.BatchNorm1d(pair[1]), nn.ReLU()) for pair in pairwise(sizes)
    ]
    stages = {"flatten": nn.Flatten()} | {f"layer{number}": layer for number, layer in enumerate(layers, 1)}
    return initialise(Network(stages, nn.Linear(features, classes)))
