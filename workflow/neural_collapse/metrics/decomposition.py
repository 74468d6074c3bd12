"""The least-squares classifier, and the MSE loss taken apart around it (Han, Papyan, Donoho, ICLR 2022, section 2).

Features are given by their class means, float64 (C, P), and their within-class covariance Sigma_W, float64: (P, P), or
(P,) where the coordinates are along its eigenvectors, so that it is diagonal. Every class weighs the same whatever its
count, or with the moments of the weighting "sample" every example: a mean over examples is the mean over classes of the
mean within a class, with the same weights throughout, or the loss identity is broken.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.linalg import lapack, solve_triangular

from ..features.moments import Moments
from ..features.products import columns, product, symmetric_times
from .pairs import mean_squared_residual

# Differences of class means below this share of the means count as rounding, and variances below its square. So do, for
# a rank, eigenvalues of a covariance below this share of the largest (float32 features are rounded to 1e-14 of it).
RANK_TOLERANCE = 1e-12

# Below this share of its largest eigenvalue a covariance is rounding: of the sums in float64, and of the eigenvalues.
COVARIANCE_ROUNDING = 1e-14

# A Cholesky factor serves up to this condition, times which the loss and the sum of its terms differ by 1e-16 at most.
WELL_CONDITIONED = 1e10


def decompose_loss(
    moments: Moments, weight: np.ndarray, bias: np.ndarray | None, weight_decay_lambda: float
) -> dict[str, float]:
    """The paper's MSE loss L of a classifier, and its terms around the least-squares classifier (theorems 1 and 2).

    With a lambda above 1e-14 of the largest eigenvalue of Sigma_W, all are those of the moments. With less, variances
    that can't be told from rounding count as that much (`least_squares_classifier`), in L too: the terms add up to L.

    Parameters
    ----------
    moments: of the features.
    weight, bias: W (C, P), b (C,). None decomposes around the least-squares classifier without bias.
    weight_decay_lambda: lambda >= 0, of the term lambda/2 (‖W‖² + ‖b‖²) in L.

    Returns
    -------
    `loss`                 L = 1/2 Ave ‖W h + b - y‖² + lambda/2 (‖W‖² + ‖b‖²), from the moments of the residuals
    `loss_ls`              L_LS = L_NC1 + L_NC2/3, the loss of the least-squares classifier
    `loss_nc1`             L_NC1 = 1/2 Tr{W_LS Sigma_W W_LS^T} + lambda/2 (‖W_LS‖² + ‖b_LS‖²)
    `loss_nc1_within`      the first part of L_NC1
    `loss_nc1_decay`       the second part of L_NC1, which is most of it late in training
    `loss_nc23`            L_NC2/3 = 1/(2C) ‖W_LS M + b_LS 1^T - I‖²
    `loss_perp`            L_perp = L - L_LS, as the quadratic form in W - W_LS and b - b_LS
    `classifier_distance`  ‖(W - W_LS, b - b_LS)‖ / ‖(W_LS, b_LS)‖: how far W is from stationary
    `distance_in_span`, `distance_outside_span`
                           its parts along the extended class means (mu_c, 1), or mu_c without bias, and orthogonal to
                           them, where little but weight decay moves W; their squares add up to its square
    """
    within_class = _within_class(moments.class_means, moments.within_class_covariance, weight_decay_lambda)
    means, weight = within_class.rotated(moments.class_means), within_class.rotated(weight)
    moments = replace(moments, class_means=means, within_class_covariance=within_class.covariance)
    best_weight, best_bias = _least_squares_classifier(moments, within_class, weight_decay_lambda, bias is not None)
    span = _span(moments, extended=bias is not None)
    if bias is None:
        bias = np.zeros(len(weight))
    difference = weight - best_weight, bias - best_bias
    within, between, decay = _loss_terms(moments, best_weight, best_bias, weight_decay_lambda)
    outside = np.column_stack(difference)
    along = outside @ span.T
    outside -= along @ span
    with np.errstate(divide="ignore", invalid="ignore"):
        distances = np.sqrt(
            np.array([_squared_norm(*difference), (along**2).sum(), (outside**2).sum()])
            / _squared_norm(best_weight, best_bias)
        )
    return {
        "loss": sum(_loss_terms(moments, weight, bias, weight_decay_lambda)),
        "loss_ls": within + between + decay,
        "loss_nc1": within + decay,
        "loss_nc1_within": within,
        "loss_nc1_decay": decay,
        "loss_nc23": between,
        "loss_perp": sum(_loss_terms(moments, *difference, weight_decay_lambda, targets=False)),
        **dict(
            zip(("classifier_distance", "distance_in_span", "distance_outside_span"), distances.tolist(), strict=True)
        ),
    }


def least_squares_classifier(
    class_means: np.ndarray,
    within_class_covariance: np.ndarray,
    weight_decay_lambda: float = 0.0,
    *,
    bias: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """W_LS (C, P) and b_LS (C,), the classifier with the smallest L (Proposition 1); b_LS is 0 without `bias`.

    Every class weighs the same.

    Where lambda exceeds 1e-14 of the largest eigenvalue of Sigma_W, L is that of the moments, and smallest up to the
    rounding of float64. With less, eigenvalues of Sigma_W + lambda I below that are raised to it, and L is the smallest
    for this covariance: nobody can tell it from the given one, which is rounded as much. Class means that differ where
    nothing varies are then told apart almost exactly, those that differ by as little as rounding are not, and L_LS is
    never above the loss of W = 0.

    At lambda = 0 W_LS is the limit lambda -> 0: of all with the smallest L, the one with the smallest ‖W‖² + ‖b‖², as
    far as the variances that are not zero stand clear of rounding.
    """
    within_class = _within_class(class_means, within_class_covariance, weight_decay_lambda)
    moments = Moments(within_class.rotated(class_means), within_class.covariance, np.zeros(len(class_means)))
    weight, offset = _least_squares_classifier(moments, within_class, weight_decay_lambda, bias)
    return weight if within_class.axes is None else weight @ within_class.axes.T, offset


class _WithinClass(NamedTuple):
    """Sigma_W, made ready for dividing by D = Sigma_W + lambda I."""

    covariance: np.ndarray
    """(P, P); or (P,) along its eigenvectors, raised so that no eigenvalue of D is below the rounding"""
    root: np.ndarray
    """D^{1/2}: its Cholesky factor (lower triangle), or (P,)"""
    hidden: np.ndarray
    """(P,) bool, along which coordinates D was below the rounding"""
    axes: np.ndarray | None
    """(P, P), the eigenvectors as columns, where it was given in full and is diagonal now"""

    def rotated(self, rows: np.ndarray) -> np.ndarray:
        return rows if self.axes is None else rows @ self.axes

    def divide(self, vectors: np.ndarray, *, transposed: bool = False) -> np.ndarray:
        """D^{-1/2}, or its transpose, times each column (P, k)."""
        if self.root.ndim == 1:
            return vectors / self.root[:, None]
        return solve_triangular(self.root, vectors, lower=True, trans=int(transposed), check_finite=False)


def _within_class(class_means: np.ndarray, covariance: np.ndarray, shift: float) -> _WithinClass:
    floor = _rounding(class_means) ** 2
    axes = None
    if covariance.ndim == 2:
        shifted = columns(covariance)[0].copy(order="F")
        shifted[np.diag_indices_from(shifted)] += shift
        norm = lapack.dlange("1", shifted)
        factor, failed = lapack.dpotrf(shifted, lower=True, clean=False, overwrite_a=True)
        smallest = 0.0 if failed else norm * lapack.dpocon(factor, norm, uplo=b"L")[0]
        if smallest > max(norm / WELL_CONDITIONED, floor):
            return _WithinClass(covariance, factor, np.zeros(len(covariance), dtype=bool), None)
        del shifted, factor  # before more memory of that size is needed
        covariance, axes = np.linalg.eigh(covariance)
    least = max(COVARIANCE_ROUNDING * covariance.max(), floor, np.finfo(float).tiny)
    hidden = covariance + shift < least
    covariance = np.where(hidden, least - shift, covariance)
    return _WithinClass(covariance, np.sqrt(covariance + shift), hidden, axes)


def _least_squares_classifier(
    moments: Moments, within_class: _WithinClass, weight_decay_lambda: float, bias: bool
) -> tuple[np.ndarray, np.ndarray]:
    """W_LS and b_LS, of moments in the coordinates of `within_class`.

    The matrix to invert, Sigma_T + lambda/(1+lambda) mu_G mu_G^T + lambda I (centred, because the extended one is
    ill-conditioned for a large mean), is D + R^T R: D = Sigma_W + lambda I, and few rows R span the class means. The
    right hand side is some A R, hence W_LS = A R (D + R^T R)^{-1} = A B (I + B^T B)^{-1} D^{-1/2} with B = R D^{-1/2}.
    Other than that of Sigma_T, the condition of D does not worsen as features collapse onto their class means.
    Where some singular values of B are huge, the others keep twice the digits that B B^T would leave them.
    """
    class_means, weights = moments.class_means, moments.weights
    mean = moments.global_mean if bias else np.zeros(class_means.shape[1])
    left, scale, right = principal_class_means(moments, mean)
    sides, rows = left * np.sqrt(weights)[:, None], scale[:, None] * right

    shrink = weight_decay_lambda / (1 + weight_decay_lambda)
    if shrink > 0:
        sides = np.column_stack([sides, np.sqrt(shrink) * weights])
        rows = np.vstack([rows, np.sqrt(shrink) * mean])

    # Where rounding hides the variance, rounded differences between classes must not be divided by it.
    hidden = within_class.hidden
    _, size, span = np.linalg.svd(rows[:, hidden], full_matrices=False)
    span = span[size > _rounding(class_means)]
    rows[:, hidden] = rows[:, hidden] @ span.T @ span
    basis, snr, mixing = np.linalg.svd(within_class.divide(rows.T), full_matrices=False)
    basis[hidden] = span.T @ (span @ basis[hidden])
    weight = product(sides @ mixing.T, within_class.divide(basis * (snr / (1 + snr**2)), transposed=True).T)
    if not bias:
        return weight, np.zeros(len(weights))
    # At lambda = 0 a part of mu_G where no feature varies serves as a second bias, which makes the norm smaller.
    second_bias = np.zeros_like(mean)
    if weight_decay_lambda == 0:
        second_bias[hidden] = mean[hidden] - mean[hidden] @ span.T @ span
    offset = (weights - weight @ mean) / (1 + weight_decay_lambda + second_bias @ second_bias)
    if second_bias.any():
        weight += np.outer(offset, second_bias)
    return weight, offset


def principal_class_means(moments: Moments, origin: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Thin SVD of the rows sqrt(p_c) (mu_c - origin), without the directions that are rounding: (C, k), (k,), (k, P).

    p_c is what a class counts, 1/C where all count the same. The squares of the singular values are the non-zero
    eigenvalues of Sigma_B where `origin` is mu_G, k <= C-1 then.
    """
    rows = (moments.class_means - origin) * np.sqrt(moments.weights)[:, None]
    left, scale, right = np.linalg.svd(rows, full_matrices=False)
    # Compared with the means themselves: that is what they are rounded to, before the origin is subtracted.
    kept = scale > _rounding(moments.class_means)
    return (left, scale, right) if kept.all() else (left[:, kept], scale[kept], right[kept])


def principal_axes(moments: Moments, origin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The singular values and right singular vectors of `principal_class_means`, (k,) and (k, P)."""
    rows = (moments.class_means - origin) * np.sqrt(moments.weights)[:, None]
    if len(rows) > rows.shape[1]:
        rows = np.linalg.qr(rows, mode="r")
    _, scale, right = np.linalg.svd(rows, full_matrices=False)
    kept = scale > _rounding(moments.class_means)
    return scale[kept], right[kept]


def _span(moments: Moments, *, extended: bool) -> np.ndarray:
    """Orthonormal rows (k, P+1) that span the class means followed by a 1 where `extended`, by a 0 where not."""
    mean = moments.global_mean
    _, rows = principal_axes(moments, mean if extended else np.zeros_like(mean))
    rows = np.column_stack([rows, np.zeros(len(rows))])
    if not extended:
        return rows
    # The means' differences first, as they stand: beside a large mean they would be lost.
    rest = np.append(mean, 1.0)
    for _ in range(2):  # the second time removes what rounding left
        rest = rest - rest @ rows.T @ rows
    return np.vstack([rows, rest / np.linalg.norm(rest)])


def regularised_snr(moments: Moments, weight_decay_lambda: float) -> tuple[np.ndarray, float]:
    """The spectrum that decides L_LS under weight decay, and the L_LS that it gives (docs/theory.md, "The loss").

    With kappa = lambda/(1+lambda), omega'_1 >= ... >= omega'_{C-1}, float64, are the singular values of
    (Sigma_W + lambda I + kappa mu_G mu_G^T)^{-1/2} Mdot, and for the least-squares classifier with bias

        L_LS = 1/2 sum_{j<C} 1/(C + omega'_j²) + kappa/(2C) / (1 + kappa mu_G^T (Sigma_T + lambda I)^{-1} mu_G).

    Parameters
    ----------
    moments: of the features, every class counting the same.
    weight_decay_lambda: lambda >= 0. Without any, what rounding hides is treated as in `least_squares_classifier`.
    """
    classes = len(moments.class_means)
    kappa = weight_decay_lambda / (1 + weight_decay_lambda)
    within_class = _within_class(moments.class_means, moments.within_class_covariance, weight_decay_lambda)
    means = within_class.rotated(moments.class_means)
    mean = means.mean(0)
    signal = within_class.divide((means - mean).T)
    offset = within_class.divide(mean[:, None])[:, 0]

    # (I + x x^T)^{-1/2} = I - (1 - (1 + ‖x‖²)^{-1/2}) x x^T/‖x‖² with x = sqrt(kappa) D^{-1/2} mu_G
    shrunk = np.array(signal)
    if squared := kappa * (offset @ offset):
        direction = offset / np.linalg.norm(offset)
        shrunk -= np.outer((1 - 1 / np.sqrt(1 + squared)) * direction, direction @ signal)
    found = np.linalg.svd(shrunk, compute_uv=False)
    spectrum = np.zeros(classes - 1)
    spectrum[: len(found)] = found[: len(spectrum)]

    # mu_G^T (Sigma_T + lambda I)^{-1} mu_G, along the singular vectors of D^{-1/2} Mdot and beside them
    axes, scale, _ = np.linalg.svd(signal, full_matrices=False)
    along = axes.T @ offset
    beside = offset - axes @ along
    seen = beside @ beside + (along**2 * classes / (classes + scale**2)).sum()
    loss = (1 / (classes + spectrum**2)).sum() / 2 + kappa / (2 * classes) / (1 + kappa * seen)
    return spectrum, float(loss)


def snr_spectrum(moments: Moments) -> tuple[np.ndarray, int, float]:
    """omega_1 >= ... >= omega_{C-1}, float64: the singular values of Sigma_W^{-1/2} Mdot (HPD, definition 2).

    Where Sigma_W is singular, its pseudo-inverse takes the inverse's place: differences between the means along which
    no example varies, whose signal-to-noise ratio is infinite, are left out. Beside the spectrum: the rank of Sigma_W,
    and the share of Tr Sigma_B that is in its null space. Where classes don't count the same, the columns of Mdot are
    scaled by sqrt(C p_c), with p_c what a class counts: the sum of all omega² is C Tr(Sigma_W^+ Sigma_B) as ever.
    """
    classes, features = moments.class_means.shape
    within_class = _within_class(moments.class_means, moments.within_class_covariance, 0.0)
    signal = (moments.class_means - moments.global_mean) * np.sqrt(classes * moments.weights)[:, None]
    rank, unseen = features, 0.0
    if within_class.root.ndim == 2:
        whitened = within_class.divide(signal.T)
    else:
        eigenvalues, signal = within_class.covariance, within_class.rotated(signal)
        known = eigenvalues > max(RANK_TOLERANCE * eigenvalues.max(), _rounding(moments.class_means) ** 2)
        rank = int(np.count_nonzero(known))
        between = (signal**2).sum(0)
        unseen = float(between[~known].sum() / between.sum())
        whitened = (signal[:, known] / np.sqrt(eigenvalues[known])).T
    found = np.linalg.svd(whitened, compute_uv=False)
    spectrum = np.zeros(classes - 1)
    spectrum[: len(found)] = found[: len(spectrum)]
    return spectrum, rank, unseen


def covariance_times(covariance: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Each row (k, P) times the covariance, given in full (P, P) or as eigenvalues (P,)."""
    return rows * covariance if covariance.ndim == 1 else symmetric_times(covariance, rows)


def quadratic_form(covariance: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """x^T Sigma x for every row x, (k,)."""
    return (covariance_times(covariance, rows) * rows).sum(1)


def _loss_terms(
    moments: Moments, weight: np.ndarray, bias: np.ndarray, weight_decay_lambda: float, *, targets: bool = True
) -> tuple[float, float, float]:
    """The loss of predicting the classes, or zeros: its part within classes, that of their means, weight decay."""
    within = quadratic_form(moments.within_class_covariance, weight).sum() / 2
    between = mean_squared_residual(weight, bias, moments.class_means, moments.weights, targets=targets) / 2
    return float(within), between, float(weight_decay_lambda / 2 * _squared_norm(weight, bias))


def _squared_norm(weight: np.ndarray, bias: np.ndarray) -> float:
    return (weight**2).sum() + (bias**2).sum()


def _rounding(class_means: np.ndarray) -> float:
    """The length below which a difference of features counts as rounding: RANK_TOLERANCE of the means' RMS norm."""
    return RANK_TOLERANCE * np.linalg.norm(class_means) / np.sqrt(len(class_means))
