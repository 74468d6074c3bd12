"""What a network is trained to minimise, by name. A new loss is one file here, `<name>.py`.

It holds one function, `loss(logits, labels, **options) -> Tensor`, of logits (N, C) floating
point and labels (N,) int64, that gives a scalar. Its further arguments, which have no defaults, are the options that
config.yaml sets; a literal `OPTIONS`, where there is one, holds the JSON schema of each that may not be any number.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from ...config.checks import check_setting
from ...config.declarations import modules, options_of_loss
from ...errors import InputError

if TYPE_CHECKING:
    from torch import Tensor


def loss_function(name: str, **options: float) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss of a batch: a function of logits (N, C) floating point and labels (N,) int64 that gives a scalar.

    Raises
    ------
    InputError
        Where the loss is unknown, or an option is unknown, missing or not what it may be.
    """
    if name not in modules("train.losses"):
        raise InputError(f"no loss named {name!r}; known: {', '.join(modules('train.losses'))}.")
    loss = importlib.import_module(f".{name}", __package__).loss
    known = options_of_loss(name)
    if options.keys() != known.keys():
        raise InputError(
            f"loss {name!r}: its options are {', '.join(known) or 'none'}, but given: {', '.join(options) or 'none'}."
        )
    for key, value in options.items():
        check_setting(f"loss {name!r}: {key}", value, known[key])
    return functools.partial(loss, **options)
