"""VGG with batch norm (Simonyan & Zisserman 2015, arXiv 1409.1556): conv-BN-ReLU, and a head of Linear-BN-ReLU twice.

The head's dropout is replaced by batch norm, as in Papyan, Han & Donoho 2020. No layer before a batch norm has a
bias, which the batch norm would subtract again.
"""

from torch import nn

from ._layers import BatchNorm2d, Convolution
from ._network import SMALL_IMAGE, Network, initialise, scaled

DEPTHS = (11, 13, 16, 19)

OPTIONS = {  # the least leave P = 2 features
    "width": {"type": "number", "minimum": 0.0005, "maximum": 100},
    "features": {"type": "integer", "minimum": 2, "maximum": 65536},
}

_CONVOLUTIONS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
_CHANNELS = (64, 128, 256, 512, 512)


def build(
    depth: int, *, in_channels: int, classes: int, image_size: int, width: float = 1.0, features: int | None = None
) -> Network:
    """A VGG of 11, 13, 16 or 19 layers with weights.

    Parameters
    ----------
    width: scales every number of channels, and of the head's units.
    features: P, the units in either hidden layer of the head, where it isn't to be 4096 times `width`.

    Images of up to 32 pixels reach the head as 1x1 pixels, larger ones as torchvision's 7x7 (adaptive average). Images
    of less than 32 pixels skip those max-pools that would leave less than 2x2 pixels to a convolution.
    """
    channels, size, stages = in_channels, image_size, {}
    for number, (convolutions, base) in enumerate(zip(_CONVOLUTIONS[depth], _CHANNELS, strict=True), 1):
        stage = stages[f"stage{number}"] = nn.Sequential()
        for _ in range(convolutions):
            inputs, channels = channels, scaled(base, width)
            stage.extend([Convolution(inputs, channels, 3), BatchNorm2d(channels), _relu()])
        if size >= (2 if number == len(_CHANNELS) else 4):
            stage.append(nn.MaxPool2d(2))
            size //= 2
    if image_size > SMALL_IMAGE:
        size = 7
        stage.append(nn.AdaptiveAvgPool2d(size))
    units = scaled(4096, width) if features is None else features
    stages["hidden1"] = nn.Sequential(nn.Flatten(), *_hidden(channels * size**2, units))
    stages["hidden2"] = nn.Sequential(*_hidden(units, units))
    return initialise(Network(stages, nn.Linear(units, classes)))


def _hidden(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), _relu()


def _relu() -> nn.ReLU:
    return nn.ReLU(inplace=True)
