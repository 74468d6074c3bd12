"""Collapse where targets are real numbers: NRC1 to NRC3 of Andriopoulos et al. (arXiv 2409.04180)."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.linalg import eigh

from ..errors import InputError
from ..features.products import add_squares
from .arrays import as_array, check_numbers


def regression_measures(features: Any, targets: Any, weight: Any, bias: Any = None) -> dict[str, float]:
    """Neural regression collapse of features and the linear layer on top of them.

    Parameters
    ----------
    features: h, the layer's input, (N, P), any real dtype. NumPy arrays, memory-mapped too, or torch tensors.
    targets: y, (N, n), or (N,) for a single number; n <= P.
    weight: W, (n, P).
    bias: b, (n,); None for a layer without.

    Returns
    -------
    `nrc1`        Ave ‖x - its projection on the first n principal components of the features‖², where the x =
                  (h - Ave h)/‖h - Ave h‖; of examples at the mean, which have no direction, there is none
    `nrc2`        the same of the projection on the span of the rows of W
    `nrc3`        min over 0 <= gamma <= lambda_min of ‖W W^T/‖W W^T‖_F - A/‖A‖_F‖_F², A = Sigma^{1/2} - gamma^{1/2} I
                  with Sigma the targets' covariance and lambda_min its least eigenvalue; 0 for n = 1
    `nrc3_gamma`  the gamma of that minimum
    `mse`         mean over examples and targets of (<w_j, h> + b_j - y_j)²

    Each is 0 at collapse but the last two.

    Raises
    ------
    InputError
        In one sentence, where shapes don't fit or a number isn't finite.
    """
    features, targets = as_array("features", features), as_array("targets", targets)
    weight, bias = as_array("weight", weight), as_array("bias", bias)
    if targets is not None and targets.ndim == 1:
        targets = targets[:, None]
    _check(features, targets, weight, bias)
    weight = weight.astype(np.float64)
    mean = sum(chunk.sum(0) for _, chunk in _chunks(features)) / len(features)
    scatter = np.zeros((features.shape[1],) * 2, order="F")
    for _, chunk in _chunks(features):
        chunk -= mean
        scatter = add_squares(scatter, chunk)
    size, count = features.shape[1], len(weight)
    _, components = eigh(scatter, lower=False, subset_by_index=[size - count, size - 1])
    rows, _ = np.linalg.qr(weight.T)
    outside = {"nrc1": 0.0, "nrc2": 0.0}
    squares, directed = 0.0, 0
    for place, chunk in _chunks(features):
        residuals = chunk @ weight.T - targets[place] + (0.0 if bias is None else bias)
        squares += (residuals**2).sum()
        chunk -= mean
        lengths = np.linalg.norm(chunk, axis=1)
        chunk = chunk[lengths > 0] / lengths[lengths > 0, None]
        directed += len(chunk)
        for name, basis in (("nrc1", components), ("nrc2", rows)):
            outside[name] += ((chunk - chunk @ basis @ basis.T) ** 2).sum()
    distance, gamma = _gram_distance(weight @ weight.T, targets.astype(np.float64))
    return {
        **{name: float(total / directed) if directed else np.nan for name, total in outside.items()},
        "nrc3": distance,
        "nrc3_gamma": gamma,
        "mse": float(squares / targets.size),
    }


def _gram_distance(gram: np.ndarray, targets: np.ndarray) -> tuple[float, float]:
    """NRC3 and its gamma, of W W^T (n, n) and targets (N, n).

    With s = gamma^{1/2}, R = Sigma^{1/2} and G = W W^T, the cosine of G and R - s I is largest where its derivative is
    zero, at s = (Tr(R) <G, R> - Tr(G) ‖R‖²)/(n <G, R> - Tr(G) Tr(R)), or at an end of the interval.
    """
    deviations = targets - targets.mean(0)
    eigenvalues, axes = np.linalg.eigh(deviations.T @ deviations / len(targets))
    roots = np.sqrt(eigenvalues.clip(min=0))
    along = np.einsum("ji,jk,ki->i", axes, gram, axes)  # the diagonal of G along the axes of R
    count, traced, both = len(roots), along.sum(), along @ roots
    with np.errstate(divide="ignore", invalid="ignore"):
        stationary = (roots.sum() * both - traced * (roots @ roots)) / (count * both - traced * roots.sum())
        shifts = np.array([0.0, stationary, roots[0]])
        shifts = shifts[(shifts >= 0) & (shifts <= roots[0])]
        unit = gram / np.linalg.norm(gram)
        wanted = [(axes * (roots - shift)) @ axes.T for shift in shifts]
        distances = [np.sum((unit - matrix / np.linalg.norm(matrix)) ** 2) for matrix in wanted]
    if np.isnan(distances).all():
        return np.nan, np.nan
    least = int(np.nanargmin(distances))
    return float(distances[least]), float(shifts[least] ** 2)


def _check(
    features: np.ndarray | None, targets: np.ndarray | None, weight: np.ndarray | None, bias: np.ndarray | None
) -> None:
    if features is None or features.ndim != 2 or not features.size:
        raise InputError(f"features: must have the shape (N, P), found {None if features is None else features.shape}.")
    if targets is None or targets.ndim != 2 or len(targets) != len(features) or not targets.size:
        found = None if targets is None else targets.shape
        raise InputError(f"targets: must have the shape ({len(features)}, n), a row an example, found {found}.")
    shape = targets.shape[1], features.shape[1]
    if weight is None or weight.shape != shape or shape[0] > shape[1]:
        found = None if weight is None else weight.shape
        raise InputError(f"weight: must have the shape {shape}, a row a target, at most P of them, found {found}.")
    if bias is not None and bias.shape != shape[:1]:
        raise InputError(f"bias: must have the shape ({shape[0]},), one number a target, found {bias.shape}.")
    for name, array in (("features", features), ("targets", targets), ("weight", weight), ("bias", bias)):
        if array is not None:
            check_numbers(name, array)


def _chunks(features: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Some rows at a time, and a copy of them in float64."""
    step = max(1, 2**20 // features.shape[1])
    for start in range(0, len(features), step):
        place = slice(start, start + step)
        yield place, features[place].astype(np.float64)
