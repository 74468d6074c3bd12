"""Cross entropy."""

from torch import Tensor
from torch.nn import functional


def loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy, averaged over the batch: -Ave log softmax(logits)[label]."""
    return functional.cross_entropy(logits, labels)
