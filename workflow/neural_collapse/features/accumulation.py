"""Moments of features that arrive in batches, on any device: one pass, float64, centred, mergeable."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from .moments import Moments


class CollapseAccumulator:
    """Accumulates class means, within-class covariance and class variances of features as they are computed.

    Batches are centred at their own class means and merged by the rule of Chan, Golub, LeVeque ("Updating formulae and
    a pairwise algorithm for computing sample variances", 1979), so that neither a large mean nor deep collapse costs
    digits, and no example is kept. Memory: 8 P² bytes and a few copies of the batch.

        accumulator = CollapseAccumulator([5000] * 10, features=512, device="cuda")
        for images, labels in batches:
            accumulator.update(network.features(images), labels)
        measures = geometry_measures(accumulator.moments(), weight)

    Parameters
    ----------
    class_counts: how many examples of each class will have come at the end, (C,), each at least 1. Known beforehand,
        they let every class weigh the same with one covariance instead of one for each class.
    features: P.
    device: where the sums are kept; batches and labels may come from any other.
    """

    def __init__(self, class_counts: Sequence[int] | Tensor, features: int, *, device: torch.device | str = "cpu"):
        self._expected = torch.as_tensor(class_counts, dtype=torch.float64, device=device)
        if self._expected.ndim != 1 or not (self._expected >= 1).all():
            raise InputError(f"class_counts: every class needs an example, found {self._expected.tolist()}.")
        classes = len(self._expected)
        self._example_weights = 1 / (classes * self._expected)
        self._counts = torch.zeros_like(self._expected)
        self._strangers = torch.zeros((), dtype=torch.int64, device=device)
        self._means = torch.zeros((classes, features), dtype=torch.float64, device=device)
        self._squares = torch.zeros_like(self._expected)
        self._covariance = torch.zeros((features, features), dtype=torch.float64, device=device)

    @torch.no_grad()
    def update(self, features: Tensor | np.ndarray, labels: Tensor | np.ndarray) -> None:
        """Add examples: features (n, P), any real dtype, and their labels (n,), integers 0..C-1.

        Raises
        ------
        InputError
            Where shapes or types don't fit. A label that is none of 0..C-1 shows at the end, because looking at the
            values of each batch would keep a GPU waiting.
        """
        features, labels = torch.as_tensor(features), torch.as_tensor(labels)
        if features.ndim != 2 or features.shape[1] != self._means.shape[1]:
            expected = f"(n, {self._means.shape[1]})"
            raise InputError(f"features: must have the shape {expected}, found {tuple(features.shape)}.")
        if labels.shape != features.shape[:1] or labels.is_floating_point() or labels.is_complex():
            found = f"{labels.dtype} {tuple(labels.shape)}"
            raise InputError(f"labels: must be one integer for each of the {len(features)} examples, found {found}.")
        features = features.to(self._means)
        labels = labels.to(self._means.device, torch.int64)
        classes = len(self._counts)
        self._strangers += ((labels < 0) | (labels >= classes)).sum()
        labels = labels.clamp(0, classes - 1)
        # Sums by class as products with the indicator matrix: scattered additions have no fixed order on a GPU.
        indicator = (labels[:, None] == torch.arange(classes, device=labels.device)).to(self._means)
        counts = indicator.sum(0)
        means = indicator.T @ features / counts.clamp(min=1)[:, None]
        residuals = features - means[labels]
        squares = indicator.T @ residuals.square().sum(1)
        residuals *= self._example_weights[labels].sqrt()[:, None]
        self._covariance.addmm_(residuals.T, residuals)
        self._merge(counts, means, squares)

    @torch.no_grad()
    def merge(self, other: CollapseAccumulator) -> None:
        """Add what another accumulator has seen of the same stream (made with the same `class_counts` of the whole)."""
        if (
            not torch.equal(self._expected, other._expected.to(self._expected))
            or self._means.shape != other._means.shape
        ):
            raise InputError("merge: the accumulators were made for different class counts or numbers of features.")
        self._strangers += other._strangers.to(self._strangers)
        self._covariance += other._covariance.to(self._covariance)
        self._merge(*(sums.to(self._means) for sums in (other._counts, other._means, other._squares)))

    def _merge(self, counts: Tensor, means: Tensor, squares: Tensor) -> None:
        """Add all but the scatter about their own means of further examples, and the scatter of the two means."""
        total = self._counts + counts
        difference = means - self._means
        factor = self._counts * counts / total.clamp(min=1)
        self._squares += squares + factor * difference.square().sum(1)
        shifts = (factor * self._example_weights).sqrt()[:, None] * difference
        self._covariance.addmm_(shifts.T, shifts)
        self._means += (counts / total.clamp(min=1))[:, None] * difference
        self._counts = total

    def moments(self) -> Moments:
        """The moments of all that has come, with the covariance in full.

        Raises
        ------
        InputError
            Before all has come.
        """
        self._check()
        return Moments(*(sums.cpu().numpy() for sums in (self._means, self._covariance, self._squares / self._counts)))

    def spectral_moments(self) -> tuple[Moments, Tensor]:
        """The moments in the coordinates along the eigenvectors of the covariance, and these: columns Q of (P, P)."""
        self._check()
        eigenvalues, vectors = torch.linalg.eigh(self._covariance)
        sums = self._means @ vectors, eigenvalues, self._squares / self._counts
        return Moments(*(values.cpu().numpy() for values in sums)), vectors

    def _check(self) -> None:
        if self._strangers:
            known = f"0..{len(self._counts) - 1}, one for each of class_counts"
            raise InputError(f"labels: must lie in {known}, found {int(self._strangers)} that don't.")
        if not torch.equal(self._counts, self._expected):
            found, expected = self._counts.int().tolist(), self._expected.int().tolist()
            raise InputError(f"class_counts: {expected} examples were announced, {found} have come.")
        if not self._covariance.isfinite().all():
            raise InputError("features: some are not finite; a network that diverged can't be measured.")
