"""Densely connected networks (Huang et al. 2017, arXiv 1608.06993); `_dense_block` says how a block is trained."""

from torch import nn

from ...errors import InputError
from ._dense_block import DenseBlock
from ._layers import BatchNorm2d, Convolution
from ._network import SMALL_IMAGE, GlobalAveragePool, Network, initialise

DEPTHS = (40, 100, 121, 161, 169, 201, 250)

OPTIONS = {
    "growth_rate": {"type": "integer", "minimum": 1, "maximum": 1024},
    "compression": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
}
# Pixels a side: between two blocks an image is halved.
SMALLEST_IMAGE = {40: 4, 100: 4, 121: 8, 161: 8, 169: 8, 201: 8, 250: 4}

# Layers of each dense block, and the growth rate k.
_BLOCKS = {
    40: ((12, 12, 12), 12),
    100: ((16, 16, 16), 12),
    121: ((6, 12, 24, 16), 32),
    161: ((6, 12, 36, 24), 48),
    169: ((6, 12, 32, 32), 32),
    201: ((6, 12, 48, 32), 32),
    250: ((41, 41, 41), 24),
}


def build(
    depth: int,
    *,
    in_channels: int,
    classes: int,
    image_size: int,
    growth_rate: int | None = None,
    compression: float | None = None,
) -> Network:
    """A DenseNet: depth 40 has plain layers, every other depth bottlenecks of 4k channels.

    Parameters
    ----------
    growth_rate: k, the channels that each layer adds, and half those of the stem; where it isn't given, 12 for depths
        40 and 100, 24 for 250, 48 for 161, 32 for 121, 169 and 201.
    compression: share of the channels kept between two blocks; where it isn't given, 1 for depth 40 and else 0.5.

    Images of up to 32 pixels keep their resolution in a 3x3 stem; larger ones enter through the 7x7 convolution of
    stride 2 and the max-pool published for ImageNet.
    """
    blocks, published_rate = _BLOCKS[depth]
    bottleneck = depth != 40
    growth = published_rate if growth_rate is None else growth_rate
    kept = (0.5 if bottleneck else 1.0) if compression is None else compression
    if image_size < SMALLEST_IMAGE[depth]:
        raise InputError(
            f"densenet{depth}: images of {image_size} pixels are too small to be halved {len(blocks) - 1} times."
        )
    channels = 2 * growth
    stages = {"stem": _stem(in_channels, channels, image_size)}
    for number, layers in enumerate(blocks, 1):
        stage = stages[f"block{number}"] = nn.Sequential()
        if number > 1:
            inputs, channels = channels, max(1, int(channels * kept))
            stage.extend([Convolution(inputs, channels, 1), nn.AvgPool2d(2)])
        stage.append(DenseBlock(channels, layers, growth, bottleneck))
        channels += layers * growth
    stage.append(GlobalAveragePool())
    return initialise(Network(stages, nn.Linear(channels, classes)))


def _stem(in_channels: int, channels: int, image_size: int) -> nn.Sequential:
    if image_size <= SMALL_IMAGE:
        return nn.Sequential(Convolution(in_channels, channels, 3))
    return nn.Sequential(
        Convolution(in_channels, channels, 7, stride=2),
        BatchNorm2d(channels),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2, padding=1),
    )
