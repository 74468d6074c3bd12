"""What a network is trained to minimise, by name. A new loss is one file here, `<name>.py`.

It holds one function, `loss(logits, labels, **options) -> Tensor`, of logits (N, C) floating
point and labels (N,) int64, that gives a scalar. Its further arguments, which have no defaults, are the options that
config.yaml sets.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING

from ...config.declarations import modules
from ...errors import InputError

if TYPE_CHECKING:
    from torch import Tensor


def loss_function(name: str, **options: float) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss of a batch: a function of logits (N, C) floating point and labels (N,) int64 that gives a scalar.

    Raises
    ------
    InputError
        Where the loss is unknown, or an option is unknown or missing.
    """
    if name not in modules("train.losses"):
        raise InputError(f"no loss named {name!r}; known: {', '.join(modules('train.losses'))}.")
    loss = importlib.import_module(f".{name}", __package__).loss
    known = list(inspect.signature(loss).parameters)[2:]
    if set(options) != set(known):
        raise InputError(
            f"loss {name!r}: its options are {', '.join(known) or 'none'}, but given: {', '.join(options) or 'none'}."
        )
    return functools.partial(loss, **options)
