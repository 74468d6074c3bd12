"""Spherical codes: how far from the others unit vectors can be, where there are too few features for a simplex.

Trained by cross entropy on a sphere, class means tend to the code that keeps each of them as far as it can be from the
convex hull of the others, the *softmax code* (Jiang, Zhou, Wang, Mixon & Zhu, arXiv 2310.05351). How far that is they
prove for simplices, for at most twice as many classes as features, and for the circle; elsewhere a code has to be
searched for.
"""

import functools

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

from ..metrics.pairs import one_vs_rest_distances

_STARTS, _SHARPNESS = 3, (10.0, 100.0, 1000.0)


@functools.cache
def greatest_one_vs_rest(classes: int, features: int) -> float:
    """The greatest least distance of one of C unit vectors in R^P from the convex hull of the others.

    Exact on a circle and for C <= 2P; elsewhere that of the best code that a few searches find.

    Parameters
    ----------
    classes, features: C >= 2 and P >= 1.
    """
    if classes <= features + 1:  # a simplex equiangular tight frame
        return classes / (classes - 1)
    if features == 1:  # two of three are at the same place
        return 0.0
    if features == 2:  # a regular polygon
        return 1 - float(np.cos(2 * np.pi / classes))
    if classes <= 2 * features:  # simplices orthogonal to each other
        return 1.0
    return max(one_vs_rest_distances(search_code(classes, features, seed)).min() for seed in range(_STARTS))


def search_code(classes: int, features: int, seed: int) -> np.ndarray:
    """Unit vectors (C, P), far from the hull of the others each: a local optimum.

    It is theirs by duality: the distance of w_k from the hull of the others is the greatest over unit vectors h of
    min_{j != k} <w_k - w_j, h>, so codes and such vectors h_k are sought together, the two minima softened.
    """
    points = np.random.default_rng(seed).standard_normal(2 * classes * features)
    for sharpness in _SHARPNESS:
        points = minimize(_soft_greatest, points, (classes, sharpness), jac=True, method="L-BFGS-B").x
    return _on_sphere(points, classes)[0][0]


def _soft_greatest(points: np.ndarray, classes: int, sharpness: float) -> tuple[float, np.ndarray]:
    """The softened maximum of <w_j - w_k, h_k> over j != k, and its gradient."""
    units, lengths = _on_sphere(points, classes)
    codes, directions = units
    products = directions @ codes.T
    margins = products - np.diag(products)[:, None]
    np.fill_diagonal(margins, -np.inf)
    shares = softmax(sharpness * margins)
    found = logsumexp(sharpness * margins) / sharpness
    of_products = shares - np.diag(shares.sum(1))
    slopes = np.stack([of_products.T @ directions, of_products @ codes])
    tangent = slopes - (slopes * units).sum(2, keepdims=True) * units
    return float(found), (tangent / lengths).ravel()


def _on_sphere(points: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """The codes and the directions as unit vectors, (2, C, P), and the lengths they had."""
    both = points.reshape(2, classes, -1)
    lengths = np.linalg.norm(both, axis=2, keepdims=True)
    return both / lengths, lengths
