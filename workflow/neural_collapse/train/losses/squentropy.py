"""Squentropy: cross entropy plus the square of the wrong logits (Hui, Belkin, Wright 2023, arXiv 2302.03952)."""

from torch import Tensor
from torch.nn import functional

from ._targets import one_hot


def loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Ave_n (-log softmax(z)[y] + sum_{c != y} z_c^2 / (C-1)).

    Hui, Belkin & Wright (2023, arXiv 2302.03952), section 2; it has no options.
    """
    others = (logits * (1 - one_hot(logits, labels))).square().sum(1) / (logits.shape[1] - 1)
    return functional.cross_entropy(logits, labels) + others.mean()
