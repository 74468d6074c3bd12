"""What a network is trained to minimise, by name. A new loss is one function here and its name in LOSSES.

The arguments of a loss after `labels` are the options that config.yaml may set.
"""

import functools
import inspect
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from .errors import InputError

LOSSES = ("mse", "ce", "scaled_mse")


def loss_function(name: str, **options: float) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss of a batch: a function of logits (N, C) floating point and labels (N,) int64 that gives a scalar.

    Raises InputError where the loss is unknown, or an option is unknown or missing.
    """
    if name not in LOSSES:
        raise InputError(f"no loss named {name!r}; known: {', '.join(LOSSES)}.")
    loss = globals()[name]
    known = list(inspect.signature(loss).parameters)[2:]
    if set(options) != set(known):
        raise InputError(
            f"loss {name!r}: its options are {', '.join(known) or 'none'}, but given: {', '.join(options) or 'none'}."
        )
    return functools.partial(loss, **options)


def mse(logits: Tensor, labels: Tensor) -> Tensor:
    """`nn.MSELoss` on one-hot targets: squared errors averaged over batch and classes (HPD, section 1)."""
    return functional.mse_loss(logits, _one_hot(logits, labels))


def ce(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy, averaged over the batch: -Ave log softmax(logits)[label]."""
    return functional.cross_entropy(logits, labels)


def scaled_mse(logits: Tensor, labels: Tensor, target_weight: float, target_value: float) -> Tensor:
    """The scaled squared error for many classes: Ave_n (k (z_y - M)^2 + sum_{c != y} z_c^2) / C.

    `target_weight` is k, `target_value` M of Hui & Belkin (2021, arXiv 2006.07322), section 2; k = M = 1 gives `mse`.
    """
    target = _one_hot(logits, labels)
    weight = 1 + (target_weight - 1) * target
    return (weight * (logits - target_value * target).square()).mean()


def _one_hot(logits: Tensor, labels: Tensor) -> Tensor:
    """One-hot targets (N, C) in the logits' dtype, by comparison: no value is read on the host."""
    return (labels.unsqueeze(1) == torch.arange(logits.shape[1], device=logits.device)).to(logits.dtype)
