"""Networks by name: a family's file and a depth ("vgg11"), or a classifier of another library.

Those of torchvision.models have their own names ("mobilenet_v2"), those of timm `timm_` before theirs.

A new network is one file here, `<family>.py`, with three names: `DEPTHS`, a tuple of whole numbers, `OPTIONS`, the JSON
schema of each option that config.yaml may set, and `build(depth, *, in_channels, classes, image_size, **options) ->
Network`, whose further keywords are those options. The options of `_head` come on top, for every family.
`SMALLEST_IMAGE`, where there is one, names the pixels a side that a depth needs. All but `build` are literals, read
when a study is planned. It may import torchvision or timm, whichever build of torch there is. Naming a network needs no
torch; only `build` imports the one family it builds.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from ...config.checks import check_network_options
from ...config.declarations import family_and_depth
from ...errors import InputError

if TYPE_CHECKING:
    from ._network import Network


def build(
    name: str, *, in_channels: int, classes: int, image_size: int, seed: int, **options: float | int | str | None
) -> Network:
    """Build a network with its initial weights.

    The weights depend on the arguments alone: the generator of random numbers is left as it was found. They are drawn
    on the CPU (move the network afterwards); under `torch.device("meta")` there are none, which is all that counting
    parameters and FLOPs needs.

    Parameters
    ----------
    name: such as "vgg11", "resnet18", "densenet40", or a name in torchvision.models.
    in_channels, image_size: of the square images (N, in_channels, image_size, image_size) that it reads.
    classes: length of its output (N, classes).
    seed: decides the initial weights.
    options: further keywords of the family's `build`, such as `width` or `growth_rate`, and of `_head.vary`.

    Raises
    ------
    InputError
        Where the network, an option or its value is unknown, or where the images don't fit.
    """
    import torch

    from ... import vision  # noqa: F401 (before a network's file imports torchvision)
    from ._head import OPTIONS, vary

    stem, variant = family_and_depth(name)
    module = importlib.import_module(f".{stem}", __package__)
    check_network_options(name, stem, options)
    if isinstance(variant, int) and variant not in module.DEPTHS:
        raise InputError(f"no network named {name!r}; known: {', '.join(f'{stem}{depth}' for depth in module.DEPTHS)}.")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would reseed the accelerators as well
        common = {key: options.pop(key) for key in OPTIONS if isinstance(variant, int) and key in options}
        size = {"in_channels": in_channels, "image_size": image_size}
        network = module.build(variant, classes=classes, **size, **options)
        return vary(network, **size, **common)
