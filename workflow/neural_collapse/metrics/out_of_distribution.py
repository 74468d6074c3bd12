"""How well scores tell data out of distribution from a network's own test data, and what collapse does to the former.

A score is a number for each example, greater where it looks like the train data. What scores need beside the example
(means, covariances, principal axes) is of the train features alone, every example weighing the same; nothing is chosen
by looking at the data out of distribution.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from scipy.stats import rankdata

from ..features.out_of_distribution import Examples, Outlook

NCI_ALPHA = 1e-4  # the published default; 1e-4 to 1e-1 are chosen among where there are data to validate on


@dataclass(frozen=True, eq=False)
class Score:
    """The scores of an epoch's examples, by what its train features say; D coordinates, float64."""

    outlook: Outlook

    def logits(self, examples: Examples) -> np.ndarray:
        """W h + b, (N, C)."""
        return _float64(examples.coordinates) @ self.outlook.weight.T + self.outlook.bias

    def maximum_softmax(self, examples: Examples) -> np.ndarray:
        """Log max_c softmax(W h + b)_c (Hendrycks & Gimpel, arXiv 1610.02136); the logarithm tells 1 - 1e-20 from 1."""
        logits = self.logits(examples)
        others = np.exp(logits - logits.max(1, keepdims=True))
        others[np.arange(len(logits)), logits.argmax(1)] = 0
        return -np.log1p(others.sum(1))

    def maximum_logit(self, examples: Examples) -> np.ndarray:
        """max_c (W h + b)_c (Hendrycks et al., arXiv 1911.11132)."""
        return self.logits(examples).max(1)

    def energy(self, examples: Examples) -> np.ndarray:
        """The negative energy log sum_c exp(W h + b)_c at temperature 1 (Liu et al., arXiv 2010.03759)."""
        return logsumexp(self.logits(examples), axis=1)

    def mahalanobis(self, examples: Examples) -> np.ndarray:
        """-min_c (h - mu_c)^T Sigma_W^+ (h - mu_c) (Lee et al., arXiv 1807.03888).

        Sigma_W is singular where features have collapsed or units are dead: its inverse is taken along the eigenvectors
        in which features vary by more than float32 rounds features of their size, and the others do not count.
        """
        whitened = (_float64(examples.coordinates) - self._mean) @ self._whitening
        return -cdist(whitened, (self._class_means - self._mean) @ self._whitening, "sqeuclidean").min(1)

    def neco(self, examples: Examples) -> np.ndarray:
        """‖P h‖/‖h‖, P onto the first C-1 principal axes of the train features (Ben Ammar et al., arXiv 2310.06823, 6).

        The paper chooses how many axes by data set; a simplex of C classes has C-1. h is as it is, not standardised,
        as the authors' code says of features that have collapsed.
        """
        coordinates = _float64(examples.coordinates)
        with np.errstate(invalid="ignore"):
            return _norms(coordinates @ self._principal_axes) / np.hypot(_norms(coordinates), examples.residuals)

    def neco_maximum_logit(self, examples: Examples) -> np.ndarray:
        """`neco` times the maximum logit, which the paper takes for all networks but ResNets."""
        return self.neco(examples) * self.maximum_logit(examples)

    def nci(self, examples: Examples) -> np.ndarray:
        """<w_c, h - mu_G>/‖h - mu_G‖ + alpha ‖h‖_1, c the decided class (Liu & Qin, arXiv 2311.01479)."""
        centred = _float64(examples.coordinates) - self._mean
        decided = self.outlook.weight[self.logits(examples).argmax(1)]
        with np.errstate(invalid="ignore"):
            proximity = np.linalg.vecdot(decided, centred) / np.hypot(_norms(centred), examples.residuals)
        return proximity + NCI_ALPHA * examples.sizes

    @cached_property
    def _train(self) -> np.ndarray:
        return _float64(self.outlook.examples["train"].coordinates)

    @cached_property
    def _mean(self) -> np.ndarray:
        return self._train.mean(0)

    @cached_property
    def _class_means(self) -> np.ndarray:
        labels = self.outlook.labels
        return np.stack([self._train[labels == class_].mean(0) for class_ in range(len(self.outlook.weight))])

    @cached_property
    def _whitening(self) -> np.ndarray:
        residuals = self._train - self._class_means[self.outlook.labels]
        variances, axes = np.linalg.eigh(residuals.T @ residuals / len(residuals))
        rounding = np.finfo(np.float32).eps ** 2 * (self._train**2).sum(1).mean()
        kept = variances > rounding
        return axes[:, kept] / np.sqrt(variances[kept])

    @cached_property
    def _principal_axes(self) -> np.ndarray:
        centred = self._train - self._mean
        axes = np.linalg.eigh(centred.T @ centred)[1]
        return axes[:, : -len(self.outlook.weight) : -1]


SCORES: dict[str, Callable[[Score, Examples], np.ndarray]] = {
    "maximum_softmax": Score.maximum_softmax,
    "maximum_logit": Score.maximum_logit,
    "energy": Score.energy,
    "mahalanobis": Score.mahalanobis,
    "neco": Score.neco,
    "neco_maximum_logit": Score.neco_maximum_logit,
    "nci": Score.nci,
}


def out_of_distribution_measures(outlook: Outlook) -> dict[str, float]:
    """All measures of one epoch, for each data set out of distribution, here `patches`.

    Returns
    -------
    `neco__patches__auroc`  for each of `SCORES`: the share of pairs, a test example and one of the patches, in which
                            the test example has the greater score; half of those where both have the same
    `neco__patches__fpr95`  the share of patches with a score that 95 % of the test examples reach
    `nc5__patches`          Avg_c |cos(mu_c, mu_patches)|, mu_patches their mean and mu_c the class means of the train
                            split, 0 where they are orthogonal (NC5 of arXiv 2310.06823)
    `nc5_centred__patches`  the same of mu_c - mu_G and mu_patches - mu_G, mu_G the mean of the train split
    """
    score = Score(outlook)
    others = {name: examples for name, examples in outlook.examples.items() if name not in ("train", "test")}
    measures = {}
    for kind, of in SCORES.items():
        inside = of(score, outlook.examples["test"])
        for name, examples in others.items():
            outside = of(score, examples)
            measures[f"{kind}__{name}__auroc"] = area_under_curve(inside, outside)
            measures[f"{kind}__{name}__fpr95"] = false_positive_rate(inside, outside)
    for name, examples in others.items():
        mean = _float64(examples.coordinates).mean(0)
        measures[f"nc5__{name}"] = _cosine(score._class_means, mean)
        measures[f"nc5_centred__{name}"] = _cosine(score._class_means - score._mean, mean - score._mean)
    return measures


def area_under_curve(inside: np.ndarray, outside: np.ndarray) -> float:
    """AUROC of scores (n,) and (m,), those inside being the positives (Mann & Whitney's U over n m).

    NaN where a score is none.
    """
    ranks = rankdata(np.concatenate([inside, outside]))[: len(inside)]
    least = len(inside) * (len(inside) + 1) / 2
    return float((ranks.sum() - least) / (len(inside) * len(outside)))


def false_positive_rate(inside: np.ndarray, outside: np.ndarray, percent: int = 95) -> float:
    """The share of scores outside that reach the greatest threshold which at least `percent` % of those inside do.

    NaN where a score is none.
    """
    if np.isnan(inside).any() or np.isnan(outside).any():
        return np.nan
    count = -(-percent * len(inside) // 100)
    threshold = np.sort(inside)[len(inside) - count]
    return float((outside >= threshold).mean())


def _cosine(rows: np.ndarray, vector: np.ndarray) -> float:
    """The mean of |cos(row, vector)| over rows."""
    with np.errstate(invalid="ignore"):
        return float(np.abs(rows @ vector / (_norms(rows) * np.linalg.norm(vector))).mean())


def _norms(rows: np.ndarray) -> np.ndarray:
    return np.linalg.norm(rows, axis=1)


def _float64(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float64)
