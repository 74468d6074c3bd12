"""Moments of features that arrive in batches, on any device: one pass, float64, centred, mergeable."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from .moments import WEIGHTINGS, Moments

_SHOWN = 20  # class counts that a sentence lists


class CollapseAccumulator:
    """Accumulates class means, within-class covariance and class variances of features as they are computed.

    Batches are centred at their classes' means and merged as by Chan, Golub, LeVeque ("Updating formulae and a pairwise
    algorithm for computing sample variances", 1979), so that neither a large mean nor deep collapse costs digits, and
    no example is kept. A batch costs one product of its features with themselves, however many classes there are.
    Memory: 8 P² bytes, 8 C P bytes and a few copies of the batch.

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
    weighting: whether every "class" or every "sample" weighs the same.
    """

    def __init__(
        self,
        class_counts: Sequence[int] | np.ndarray | Tensor,
        features: int,
        *,
        device: torch.device | str = "cpu",
        weighting: str = "class",
    ):
        self._expected = torch.as_tensor(class_counts, dtype=torch.float64, device=device)
        if self._expected.ndim != 1 or not len(self._expected) or not (self._expected >= 1).all():
            found = f"{_printed(self._expected)}" if self._expected.ndim == 1 else f"{tuple(self._expected.shape)}"
            raise InputError(f"class_counts: every class needs an example, found {found}.")
        if weighting not in WEIGHTINGS:
            raise InputError(f"weighting: must be {' or '.join(WEIGHTINGS)}, found {weighting}.")
        classes, examples = len(self._expected), self._expected.sum()
        equal = torch.full_like(self._expected, 1 / classes)
        self._class_weights = equal if weighting == "class" else self._expected / examples
        self._example_weights = self._class_weights / self._expected
        self._weighting = weighting
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
        if not len(features):
            return
        features = features.to(self._means)
        labels = labels.to(self._means.device, torch.int64)
        classes = len(self._counts)
        self._strangers += ((labels < 0) | (labels >= classes)).sum()
        labels = labels.clamp(0, classes - 1)

        present, places = _present(labels, classes)
        counts = _sums(places, torch.ones_like(features[:, :1]), len(present))[:, 0]
        means = _sums(places, features, len(present)) / counts.clamp(min=1)[:, None]
        before = self._counts[present]
        share = (counts / (before + counts).clamp(min=1))[:, None]
        # Sum over a class of (h - mean before) (h - mean after)^T: its scatter, and what the shift of its mean adds.
        old = torch.where(before[:, None] > 0, self._means[present], means)
        shifts = share * (means - old)
        residuals = features - old[places]
        after = residuals - shifts[places]
        squares = _sums(places, (residuals * after).sum(1, keepdim=True), len(present))[:, 0]
        self._counts.index_add_(0, present, counts)
        self._squares.index_add_(0, present, squares)
        self._means.index_add_(0, present, torch.where(before[:, None] > 0, shifts, means))
        residuals *= self._example_weights[labels][:, None]
        self._covariance.addmm_(residuals.T, after)

    @torch.no_grad()
    def merge(self, other: CollapseAccumulator) -> None:
        """Add what another accumulator has seen of the same stream (made with the same `class_counts` of the whole)."""
        if (
            not torch.equal(self._expected, other._expected.to(self._expected))
            or self._means.shape != other._means.shape
            or self._weighting != other._weighting
        ):
            raise InputError(
                "merge: the accumulators were made for different class counts, numbers of features or weightings."
            )
        self._strangers += other._strangers.to(self._strangers)
        counts, means = other._counts.to(self._means), other._means.to(self._means)
        total = self._counts + counts
        shifts = means - self._means
        factor = self._counts * counts / total.clamp(min=1)
        self._squares += other._squares.to(self._means) + factor * shifts.square().sum(1)
        self._means += (counts / total.clamp(min=1))[:, None] * shifts
        self._counts = total
        shifts *= (factor * self._example_weights).sqrt()[:, None]
        self._covariance += other._covariance.to(self._covariance)
        self._covariance.addmm_(shifts.T, shifts)

    def moments(self) -> Moments:
        """The moments of all that has come, with the covariance in full.

        Raises
        ------
        InputError
            Before all has come.
        """
        self._check()
        return self._moments(self._means, self._symmetric())

    def spectral_moments(self) -> tuple[Moments, Tensor]:
        """The moments in the coordinates along the eigenvectors of the covariance, and these: columns Q of (P, P)."""
        self._check()
        eigenvalues, vectors = torch.linalg.eigh(self._symmetric())
        return self._moments(self._means @ vectors, eigenvalues), vectors

    def _symmetric(self) -> Tensor:
        """The covariance without the rounding by which the sums of products of two different factors differ from it."""
        return (self._covariance + self._covariance.T) / 2

    def _moments(self, means: Tensor, covariance: Tensor) -> Moments:
        host = [values.cpu().numpy() for values in (means, covariance, self._squares / self._counts)]
        weights = None if self._weighting == "class" else self._class_weights.cpu().numpy()
        return Moments(host[0], host[1], host[2], weights)

    def _check(self) -> None:
        if self._strangers:
            known = f"0..{len(self._counts) - 1}, one for each of class_counts"
            raise InputError(f"labels: must lie in {known}, found {int(self._strangers)} that don't.")
        if not torch.equal(self._counts, self._expected):
            found, expected = _printed(self._counts), _printed(self._expected)
            raise InputError(f"class_counts: {expected} examples were announced, {found} have come.")
        if not self._covariance.isfinite().all():
            raise InputError("features: some are not finite; a network that diverged can't be measured.")


def _present(labels: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Classes (k,) that hold all labels (n,), and where in them each label stands, (n,).

    k doesn't depend on the labels, or a GPU would have to be waited for; class 0 fills up where there are fewer.
    """
    if classes <= len(labels):
        return torch.arange(classes, device=labels.device), labels
    ordered, order = labels.sort(stable=True)
    new = torch.ones_like(ordered)
    new[1:] = ordered[1:] != ordered[:-1]
    places = torch.empty_like(labels).scatter_(0, order, new.cumsum(0) - 1)
    return torch.zeros_like(labels).scatter_(0, places, labels), places


def _sums(places: Tensor, rows: Tensor, count: int) -> Tensor:
    """Sums of rows (n, p) by their places 0..count-1, (count, p)."""
    if rows.device.type == "cpu":
        return rows.new_zeros((count, rows.shape[1])).index_add_(0, places, rows)
    # As a product with an indicator matrix: scattered additions have no fixed order on a GPU.
    return (places[:, None] == torch.arange(count, device=places.device)).to(rows).T @ rows


def _printed(counts: Tensor) -> str:
    """Counts as a user would write them, few enough to be read."""
    values = [int(value) if value.is_integer() else value for value in counts[:_SHOWN].tolist()]
    return f"{values}" if len(counts) <= _SHOWN else f"{str(values)[:-1]}, ...]"
