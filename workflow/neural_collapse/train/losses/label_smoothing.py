"""Cross entropy on smoothed labels (Szegedy et al. 2016, arXiv 1512.00567)."""

from torch import Tensor
from torch.nn import functional

OPTIONS = {"smoothing": {"type": "number", "minimum": 0, "exclusiveMaximum": 1}}


def loss(logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    """Cross entropy with the targets (1 - s) y + s/C, averaged over the batch.

    `smoothing` is s, epsilon of Szegedy et al. (2016, arXiv 1512.00567), section 7; 0 gives `ce`.
    """
    return functional.cross_entropy(logits, labels, label_smoothing=smoothing)
