"""The scaled squared error for many classes (Hui & Belkin 2021, arXiv 2006.07322)."""

from torch import Tensor

from ._targets import one_hot


def loss(logits: Tensor, labels: Tensor, target_weight: float, target_value: float) -> Tensor:
    """The scaled squared error for many classes: Ave_n (k (z_y - M)^2 + sum_{c != y} z_c^2) / C.

    `target_weight` is k, `target_value` M of Hui & Belkin (2021, arXiv 2006.07322), section 2; k = M = 1 gives `mse`.
    """
    target = one_hot(logits, labels)
    weight = 1 + (target_weight - 1) * target
    return (weight * (logits - target_value * target).square()).mean()
