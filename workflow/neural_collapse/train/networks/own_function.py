"""Any network that a function of one's own builds, by `module:function`, such as `models:build` of a file models.py.

The module lies in the folder that Snakemake is called in, or is installed. The function is given the options of
`networks`, and of `in_channels`, `classes` (or `num_classes`) and `image_size` those that it names as parameters.
"""

import importlib
import inspect
import os
import sys
from collections.abc import Callable
from typing import Any

from torch import nn

from ...errors import InputError
from ._foreign import load_weights, take_apart
from ._network import Network

OPTIONS = None  # whatever the function takes


def build(name: str, *, in_channels: int, classes: int, image_size: int, weights: str = "", **options: Any) -> Network:
    """Call the function, and take apart what it builds; a `Network` is taken as it is.

    Raises
    ------
    InputError
        Where there is no such function, where it fails or builds no network, where that doesn't end in a linear layer,
        and where it can't take the images.
    """
    function = _function(name)
    sizes = {"in_channels": in_channels, "classes": classes, "num_classes": classes, "image_size": image_size}
    try:
        named = inspect.signature(function).parameters
        model = function(**{key: value for key, value in sizes.items() if key in named} | options)
    except Exception as error:  # whatever it raises
        raise InputError(f"{name}: does not build a network ({_reason(error)}).") from None
    if not isinstance(model, nn.Module):
        raise InputError(f"{name}: must build a torch.nn.Module, found {type(model).__name__}.")
    if weights:
        load_weights(model, name, weights)
    if isinstance(model, Network):
        return model
    return take_apart(model, name, in_channels=in_channels, classes=classes, image_size=image_size)


def _function(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found = getattr(importlib.import_module(module), function, None)
    except Exception as error:  # of whatever the module does
        raise InputError(f"{name}: the module {module} can't be imported ({_reason(error)}).") from None
    if not callable(found):
        raise InputError(f"{name}: the module {module} has no function {function}.")
    return found


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
