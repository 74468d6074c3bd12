"""Any classifier of timm by its name after `timm_`, such as `timm_resnet10t`, with timm's own options.

`weights` starts from trained ones, in a file of the model's own weights. Vision transformers take `img_size`.
"""

from typing import Any

from ...errors import InputError
from ._foreign import load_weights, take_apart
from ._network import Network

OPTIONS = None  # whatever the model takes


def build(name: str, *, in_channels: int, classes: int, image_size: int, weights: str = "", **options: Any) -> Network:
    """Build timm's model, and take it apart.

    Raises
    ------
    InputError
        Where timm is not installed, has no model of that name or with such options, where it doesn't end in a linear
        layer, and where it can't take the images.
    """
    try:
        import timm
    except ModuleNotFoundError:
        raise InputError(f"timm_{name}: needs the package timm; `pip install timm`.") from None
    if not timm.is_model(name):
        close = ", ".join(timm.list_models(f"*{name.split('_')[0]}*")[:8]) or "see timm.list_models()"
        raise InputError(f"timm_{name}: timm has no model named '{name}'; among those that it has: {close}.")
    try:
        model = timm.create_model(name, pretrained=False, in_chans=in_channels, num_classes=classes, **options)
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:
        given = ", ".join(f"{key}={value!r}" for key, value in options.items())
        raise InputError(
            f"timm_{name}: timm does not build it with {given} ({' '.join(str(error).split())})."
        ) from None
    if weights:
        load_weights(model, f"timm_{name}", weights)
    return take_apart(model, f"timm_{name}", in_channels=in_channels, classes=classes, image_size=image_size)
