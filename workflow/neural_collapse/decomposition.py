"""The least-squares classifier, and the MSE loss taken apart around it (Han, Papyan, Donoho, ICLR 2022, section 2).

Features are given by their class means, float64 (C, P), and their within-class covariance Sigma_W, float64: (P, P), or
(P,) where the coordinates are along its eigenvectors, so that it is diagonal. Every class weighs the same whatever its
count: a mean over examples is the mean over classes of the mean within a class, or the loss identity is broken.
"""

import numpy as np
from scipy.linalg import cho_factor, cho_solve, lapack

from .moments import Moments
from .products import columns, symmetric_times

# Where rank is decided. Eigenvalues of a covariance count as zero below this share of the largest (float32 features are
# rounded to 1e-14 of their variance); and standard deviations, or differences of means, below this share of the means.
RANK_TOLERANCE = 1e-12


def decompose_loss(
    moments: Moments, weight: np.ndarray, bias: np.ndarray | None, weight_decay_lambda: float
) -> dict[str, float]:
    """The paper's MSE loss L of a classifier, and its terms around the least-squares classifier (theorems 1 and 2).

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
    """
    targets = np.eye(len(weight))
    best_weight, best_bias = least_squares_classifier(
        moments.class_means, moments.within_class_covariance, weight_decay_lambda, bias=bias is not None
    )
    if bias is None:
        bias = np.zeros(len(weight))
    difference = weight - best_weight, bias - best_bias
    within, between, decay = _loss_terms(moments, best_weight, best_bias, targets, weight_decay_lambda)
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = np.sqrt(_squared_norm(*difference) / _squared_norm(best_weight, best_bias))
    return {
        "loss": sum(_loss_terms(moments, weight, bias, targets, weight_decay_lambda)),
        "loss_ls": within + between + decay,
        "loss_nc1": within + decay,
        "loss_nc1_within": within,
        "loss_nc1_decay": decay,
        "loss_nc23": between,
        "loss_perp": sum(_loss_terms(moments, *difference, np.zeros_like(targets), weight_decay_lambda)),
        "classifier_distance": float(distance),
    }


def least_squares_classifier(
    class_means: np.ndarray,
    within_class_covariance: np.ndarray,
    weight_decay_lambda: float = 0.0,
    *,
    bias: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """W_LS (C, P) and b_LS (C,), the classifier with the smallest L (Proposition 1); b_LS is 0 without `bias`.

    At lambda = 0 it is the limit lambda -> 0: of all with the smallest L, the one with the smallest ‖W‖² + ‖b‖².

    The matrix to invert, Sigma_T + lambda/(1+lambda) mu_G mu_G^T + lambda I (centred, because the extended one is
    ill-conditioned for a large mean), is D + R^T R: D = Sigma_W + lambda I, and few rows R span the class means. The
    right hand side is some A R, hence W_LS = A R (D + R^T R)^{-1} = A (I + R D^{-1} R^T)^{-1} R D^{-1}. Other than
    that of Sigma_T, the condition of D does not worsen as features collapse onto their class means.
    """
    classes = len(class_means)
    mean = class_means.mean(0) if bias else np.zeros(class_means.shape[1])
    left, scale, right = principal_class_means(class_means, mean)
    sides, rows = left / np.sqrt(classes), scale[:, None] * right
    floor = _rounding(class_means) ** 2
    solved, unseen = _solve(within_class_covariance, np.vstack([rows, mean]), weight_decay_lambda, floor)
    if weight_decay_lambda == 0:
        weight, unseen_mean = _minimum_norm(sides, rows, solved[:-1], unseen)
    else:
        shrink = weight_decay_lambda / (1 + weight_decay_lambda)
        sides = np.column_stack([sides, np.full(classes, np.sqrt(shrink) / classes)])
        rows = np.vstack([rows, np.sqrt(shrink) * mean])
        solved[-1] *= np.sqrt(shrink)
        weight, unseen_mean = sides @ _solve_plus_identity(solved @ rows.T, solved), np.zeros_like(mean)
    if not bias:
        return weight, np.zeros(classes)
    # At lambda = 0 a part of mu_G where no feature varies serves as a second bias, which makes the norm smaller.
    offset = (1 / classes - weight @ mean) / (1 + weight_decay_lambda + unseen_mean @ unseen_mean)
    return weight + np.outer(offset, unseen_mean), offset


def _minimum_norm(
    sides: np.ndarray, rows: np.ndarray, solved: np.ndarray, unseen: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """W_LS at lambda = 0 but for the bias, and the part of mu_G in which the features don't vary at all.

    `unseen` are the parts of `rows`, and of mu_G below them, in the null space of Sigma_W. Whatever differs between
    classes there is fitted exactly, at no loss; the other combinations of the rows are fitted as for an invertible
    Sigma_W before.
    """
    directions, size, span = np.linalg.svd(unseen[:-1], full_matrices=False)
    exact = size > np.sqrt(RANK_TOLERANCE) * np.linalg.norm(rows)
    fitted = directions[:, exact]
    free = directions[:, ~exact]
    weight = sides @ free @ _solve_plus_identity(free.T @ solved @ rows.T @ free, free.T @ solved)
    weight += (sides - weight @ rows.T) @ (fitted / size[exact]) @ span[exact]
    return weight, unseen[-1] - unseen[-1] @ span[exact].T @ span[exact]


def principal_class_means(class_means: np.ndarray, origin: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Thin SVD of (M - origin)/sqrt(C), without the directions that are rounding: (C, k), (k,), (k, P).

    The squares of the singular values are the non-zero eigenvalues of Sigma_B where `origin` is mu_G, k <= C-1 then.
    """
    left, scale, right = np.linalg.svd((class_means - origin) / np.sqrt(len(class_means)), full_matrices=False)
    # Compared with the means themselves: that is what they are rounded to, before the origin is subtracted.
    kept = scale > _rounding(class_means)
    return left[:, kept], scale[kept], right[kept]


def snr_spectrum(moments: Moments) -> np.ndarray:
    """omega_1 >= ... >= omega_{C-1}, float64: the singular values of Sigma_W^{-1/2} Mdot (HPD, definition 2).

    Where Sigma_W is singular, its pseudo-inverse takes the inverse's place: differences between the means along which
    no example varies, whose signal-to-noise ratio is infinite, are left out: `snr_support` says how much that is.

    Parameters
    ----------
    moments: spectral, their within-class covariance given as eigenvalues (P,).
    """
    inverse = _pseudo_inverse(moments.within_class_covariance, 0.0, _rounding(moments.class_means) ** 2)
    signal_to_noise = (moments.class_means - moments.class_means.mean(0)) * np.sqrt(inverse)
    found = np.linalg.svd(signal_to_noise, compute_uv=False)
    spectrum = np.zeros(len(signal_to_noise) - 1)
    spectrum[: len(found)] = found[: len(spectrum)]
    return spectrum


def snr_support(moments: Moments) -> tuple[int, float]:
    """What `snr_spectrum` rests on: the rank of Sigma_W, and the share of Tr Sigma_B that is in its null space.

    Parameters
    ----------
    moments: as for `snr_spectrum`.
    """
    inverse = _pseudo_inverse(moments.within_class_covariance, 0.0, _rounding(moments.class_means) ** 2)
    between = ((moments.class_means - moments.class_means.mean(0)) ** 2).sum(0)
    return int((inverse > 0).sum()), float(between[inverse == 0].sum() / between.sum())


def covariance_times(covariance: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Each row (k, P) times the covariance, given in full (P, P) or as eigenvalues (P,)."""
    return rows * covariance if covariance.ndim == 1 else symmetric_times(covariance, rows)


def quadratic_form(covariance: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """x^T Sigma x for every row x, (k,)."""
    return (covariance_times(covariance, rows) * rows).sum(1)


def _loss_terms(
    moments: Moments, weight: np.ndarray, bias: np.ndarray, targets: np.ndarray, weight_decay_lambda: float
) -> tuple[float, float, float]:
    """The loss of predicting `targets` (a row a class): its part within classes, that of their means, weight decay."""
    within = quadratic_form(moments.within_class_covariance, weight).sum() / 2
    between = ((moments.class_means @ weight.T + bias - targets) ** 2).sum() / (2 * len(targets))
    return float(within), float(between), float(weight_decay_lambda / 2 * _squared_norm(weight, bias))


def _squared_norm(weight: np.ndarray, bias: np.ndarray) -> float:
    return (weight**2).sum() + (bias**2).sum()


def _solve(covariance: np.ndarray, rows: np.ndarray, shift: float, floor: float) -> tuple[np.ndarray, np.ndarray]:
    """(Sigma + shift I)^+ times each row, and the rows' parts in the null space of Sigma + shift I, both (k, P).

    Eigenvalues of Sigma below `floor` count as zero, as those of `_pseudo_inverse` do.
    """
    if covariance.ndim == 2:
        shifted = columns(covariance)[0].copy(order="F")
        shifted[np.diag_indices_from(shifted)] += shift
        norm = lapack.dlange("1", shifted)
        factor, failed = lapack.dpotrf(shifted, lower=True, clean=False, overwrite_a=True)
        smallest = 0.0 if failed else norm * lapack.dpocon(factor, norm, uplo=b"L")[0]
        if smallest > max(RANK_TOLERANCE * norm, floor):
            return lapack.dpotrs(factor, rows.T, lower=True)[0].T, np.zeros_like(rows)
        del shifted, factor  # before more memory of that size is needed
        eigenvalues, vectors = np.linalg.eigh(covariance)
        solved, unseen = _solve(eigenvalues, rows @ vectors, shift, floor)
        return solved @ vectors.T, unseen @ vectors.T
    inverse = _pseudo_inverse(covariance, shift, floor)
    return rows * inverse, rows * (inverse == 0)


def _pseudo_inverse(eigenvalues: np.ndarray, shift: float, floor: float) -> np.ndarray:
    """1/(eigenvalue + shift), with 0 for eigenvalues that are rounding; 0 where that would divide by zero."""
    known = eigenvalues > max(RANK_TOLERANCE * eigenvalues.max(), floor)
    shifted = np.where(known, eigenvalues, 0.0) + shift
    return np.divide(1.0, shifted, out=np.zeros_like(shifted), where=shifted > 0)


def _rounding(class_means: np.ndarray) -> float:
    """The length below which a difference of features counts as rounding: RANK_TOLERANCE of the means' RMS norm."""
    return RANK_TOLERANCE * np.linalg.norm(class_means) / np.sqrt(len(class_means))


def _solve_plus_identity(matrix: np.ndarray, right_sides: np.ndarray) -> np.ndarray:
    """(I + matrix)^{-1} right_sides for a symmetric positive semi-definite matrix (k, k)."""
    return cho_solve(cho_factor(np.eye(len(matrix)) + matrix), right_sides)
