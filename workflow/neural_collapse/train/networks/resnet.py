"""Residual networks (He et al. 2016, arXiv 1512.03385) in torchvision's version, with a stem that fits the images."""

from torch import Tensor, nn

from ._layers import BatchNorm2d, Convolution
from ._network import SMALL_IMAGE, GlobalAveragePool, Network, initialise, scaled

DEPTHS = (18, 34, 50, 101, 152)

OPTIONS = {"width": {"type": "number", "minimum": 0.003, "maximum": 100}}  # the least leaves P = 2 features

_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
_CHANNELS = (64, 128, 256, 512)


def build(depth: int, *, in_channels: int, classes: int, image_size: int, width: float = 1.0) -> Network:
    """A residual network; P = 512 (18, 34) or 2048 (deeper) times `width`, which scales every channel count.

    Images of up to 32 pixels keep their resolution in a 3x3 stem without pooling; larger ones enter through the
    7x7 convolution of stride 2 and the max-pool published for ImageNet.
    """
    block = _BasicBlock if depth < 50 else _Bottleneck
    channels = scaled(64, width)
    stages = {"stem": _stem(in_channels, channels, image_size)}
    for number, (blocks, base) in enumerate(zip(_BLOCKS[depth], _CHANNELS, strict=True), 1):
        row = []
        for position in range(blocks):
            stride = 2 if number > 1 and position == 0 else 1
            row.append(block(channels, scaled(base, width), stride))
            channels = row[-1].channels
        stages[f"stage{number}"] = nn.Sequential(*row)
    stages["stage4"].append(GlobalAveragePool())
    return initialise(Network(stages, nn.Linear(channels, classes)))


def _stem(in_channels: int, channels: int, image_size: int) -> nn.Sequential:
    if image_size <= SMALL_IMAGE:
        return nn.Sequential(*_convolution(in_channels, channels, 3), nn.ReLU(inplace=True))
    return nn.Sequential(
        *_convolution(in_channels, channels, 7, stride=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2, padding=1),
    )


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> tuple[Convolution, BatchNorm2d]:
    """A convolution that keeps the size (at stride 1) and its batch norm."""
    return Convolution(inputs, outputs, kernel, stride), BatchNorm2d(outputs)


class _Residual(nn.Module):
    """x -> ReLU(x + residual(x)); the shortcut is a 1x1 convolution where the shapes differ."""

    def __init__(self, inputs: int, channels: int, stride: int, residual: nn.Sequential):
        super().__init__()
        self.channels = channels
        self.residual = residual
        same = stride == 1 and inputs == channels
        self.shortcut = nn.Identity() if same else nn.Sequential(*_convolution(inputs, channels, 1, stride))

    def forward(self, maps: Tensor) -> Tensor:
        return self.residual(maps).add_(self.shortcut(maps)).relu_()


class _BasicBlock(_Residual):
    def __init__(self, inputs: int, width: int, stride: int):
        residual = nn.Sequential(
            *_convolution(inputs, width, 3, stride),
            nn.ReLU(inplace=True),
            *_convolution(width, width, 3),
        )
        super().__init__(inputs, width, stride, residual)


class _Bottleneck(_Residual):
    """The stride is at the 3x3 convolution ("v1.5"), as in torchvision."""

    def __init__(self, inputs: int, width: int, stride: int):
        residual = nn.Sequential(
            *_convolution(inputs, width, 1),
            nn.ReLU(inplace=True),
            *_convolution(width, width, 3, stride),
            nn.ReLU(inplace=True),
            *_convolution(width, 4 * width, 1),
        )
        super().__init__(inputs, 4 * width, stride, residual)
