"""The focal loss (Lin et al. 2017, arXiv 1708.02002)."""

from torch import Tensor
from torch.nn import functional

OPTIONS = {"gamma": {"type": "number", "minimum": 0, "maximum": 100}}


def loss(logits: Tensor, labels: Tensor, gamma: float) -> Tensor:
    """Cross entropy that turns away from what is classified well: -Ave (1 - p)^gamma log p, p = softmax(logits)[label].

    Lin et al. (2017, arXiv 1708.02002), equation 4, of a softmax in place of their sigmoids and without their class
    weights, as in Zhu et al. (2022, arXiv 2210.02192); gamma = 0 gives `ce`.
    """
    cross_entropy = functional.cross_entropy(logits, labels, reduction="none")  # -log p
    # 1 - p without cancelling; a base of 0 has no slope where gamma is less than 1.
    others = (-(-cross_entropy).expm1()).clamp(min=_LEAST)
    return (others**gamma * cross_entropy).mean()


_LEAST = 1e-12
