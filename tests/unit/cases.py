"""Features as networks make them, and as they make numerics hard: small enough for the oracle."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Case:
    """Features (N, P), labels (N,) and a classifier, float64."""

    features: np.ndarray
    labels: np.ndarray
    weight: np.ndarray
    bias: np.ndarray


def make(
    classes: int,
    width: int,
    counts: list[int],
    *,
    spread: float = 0.5,
    mean: float = 0.0,
    rank: int | None = None,
    seed: int = 0,
) -> Case:
    """Random class means of size 1 about a mean of size `mean`, and examples `spread` about them, in random order.

    With a `rank` below the width, the last features repeat the first ones, bit by bit.
    """
    random = np.random.default_rng(seed)
    labels = random.permutation(np.repeat(np.arange(classes), counts))
    features = random.standard_normal((classes, width))[labels] / np.sqrt(width)
    features += spread * random.standard_normal((len(labels), width)) / np.sqrt(width)
    features += mean * random.standard_normal(width) / np.sqrt(width)
    if rank is not None:
        features[:, rank:] = features[:, : width - rank]
    return Case(features, labels, random.standard_normal((classes, width)), random.standard_normal(classes))


CASES = {
    "random": make(4, 5, [6] * 4),
    "collapsed": make(4, 5, [6] * 4, spread=1e-5),
    "imbalanced": make(4, 5, [1, 3, 6, 14]),
    "rank-deficient": make(4, 6, [6] * 4, rank=4),
    "dead features": make(4, 6, [6] * 4, rank=3),
    "more classes than features": make(7, 3, [4] * 7),
    "fewer examples than features": make(3, 10, [2] * 3),
    "large mean": make(4, 5, [6] * 4, mean=500.0),
    "collapsed, large mean": make(4, 5, [6] * 4, spread=1e-5, mean=1000.0),
    "collapsed, rank-deficient, imbalanced": make(4, 6, [2, 5, 6, 9], rank=4, spread=1e-5),
    "one example a class": make(3, 4, [1] * 3),
    "two classes": make(2, 2, [7] * 2),
}
CASES["dead features"].features[:, 3:] = 0.0
