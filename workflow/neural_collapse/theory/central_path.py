"""Theory on the central path: the renormalised gradient flow of the features, simulated and in closed form.

Han, Papyan, Donoho (ICLR 2022), section 3; the derivations, with every constant, are in docs/theory.md. Throughout,
C classes have N examples each of P features, kept as one array `features` of shape (C, N, P), float64. Time is the
paper's: the flow follows minus the gradient of L_LS with respect to every single feature.

On the central path the classifier is the least-squares classifier of the present features, so features may be
renormalised without changing what is predicted. Which part is renormalised decides the law of the singular values
omega_j of the SNR matrix (LAWS):

"within"      the within-class covariance is kept at identity: the paper's flow and Proposition 2
"everything"  class means are whitened along with the covariance, as by a whitening layer after every step
"nothing"     plain gradient flow of the features
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp
from scipy.linalg import solve_continuous_lyapunov
from scipy.optimize import brentq

from ..errors import InputError
from ..metrics.decomposition import least_squares_classifier

LAWS = ("within", "everything", "nothing")


def initial_features(
    classes: int, examples_per_class: int, features: int, spectrum: ArrayLike, seed: int
) -> np.ndarray:
    """Random renormalised features: zero global mean, within-class covariance I, and SNR singular values `spectrum`.

    Returns a float64 array (C, N, P).

    Raises
    ------
    InputError
        Where no such features exist.
    """
    spectrum = np.asarray(spectrum, dtype=float)
    if spectrum.shape != (classes - 1,) or not np.all(spectrum > 0):
        raise InputError(f"spectrum: {classes} classes need {classes - 1} positive values, found {spectrum.tolist()}.")
    if features < classes - 1:
        raise InputError(f"features: {classes} classes need at least {classes - 1} features, found {features}.")
    if classes * (examples_per_class - 1) < features:
        raise InputError(
            f"examples_per_class: a within-class covariance of full rank in {features} features needs at least "
            f"{-(-features // classes) + 1} examples in each of {classes} classes, found {examples_per_class}."
        )
    random = np.random.default_rng(seed)
    left, _ = np.linalg.qr(random.standard_normal((features, classes - 1)))
    # The right singular vectors are orthogonal to the vector of ones: the class means add up to zero.
    against_ones = np.column_stack([np.ones(classes), random.standard_normal((classes, classes - 1))])
    right = np.linalg.qr(against_ones)[0][:, 1:]
    within = random.standard_normal((classes, examples_per_class, features))
    within -= within.mean(axis=1, keepdims=True)
    within = within @ _inverse_root(_covariance(within))
    return (right * spectrum @ left.T)[:, None] + within


def class_means(features: np.ndarray) -> np.ndarray:
    """The class means as rows, shape (C, P)."""
    return features.mean(axis=1)


def within_class_covariance(features: np.ndarray) -> np.ndarray:
    """Sigma_W, shape (P, P)."""
    return _covariance(features - class_means(features)[:, None])


def snr_matrix(features: np.ndarray) -> np.ndarray:
    """The signal-to-noise ratio matrix Sigma_W^{-1/2} Mdot of equation 8, shape (P, C)."""
    means = class_means(features)
    return _inverse_root(within_class_covariance(features)) @ (means - means.mean(axis=0)).T


def velocity(features: np.ndarray, *, law: str = "within", bias: bool = True) -> np.ndarray:
    """Give d features / dt of the gradient flow of L_LS under one of LAWS, shape (C, N, P).

    Knows no singular value and no closed form. The gradient is that of the loss at the least-squares classifier: the
    loss is stationary in the classifier, so that its moving along adds nothing. What is renormalised enters through the
    symmetric matrix that holds the within-class covariance still; for the paper's law it takes away exactly the
    component normal to the manifold {Sigma_W = I}, equation 5.

    Without `bias` the least-squares classifier is that without, for which the paper's zero global mean is unstable.
    """
    classes, examples_per_class, width = features.shape
    means = class_means(features)
    within = features - means[:, None]
    covariance = _covariance(within)
    weight, offset = least_squares_classifier(means, covariance, bias=bias)
    errors = features @ weight.T + offset - np.eye(classes)[:, None]
    gradient = errors @ weight / (classes * examples_per_class)
    if law == "nothing":
        return -gradient
    inward = within.reshape(-1, width).T @ gradient.reshape(-1, width) / (classes * examples_per_class)
    # Not merely its value at Sigma_W = I, (inward + inward^T) / 2: rounding errors of the covariance would then grow
    # exponentially, while the solution for the present covariance leaves them as they are.
    hold = solve_continuous_lyapunov(covariance, inward + inward.T)
    return (within if law == "within" else features) @ hold - gradient


def simulate(features: np.ndarray, times: np.ndarray, *, law: str = "within", bias: bool = True) -> np.ndarray:
    """Follow `velocity` from `features` at time 0; returns the features at `times` (increasing), (T, C, N, P).

    The flow slows down as fast as it flattens (its rates fall like 1/t), so an explicit method takes steps in
    proportion to t: a horizon of 1e7 costs about 100 of them, one of 1e12 about 200.
    """
    solution = solve_ivp(
        lambda _, flat: velocity(flat.reshape(features.shape), law=law, bias=bias).ravel(),
        (0.0, times[-1]),
        features.ravel(),
        method="DOP853",
        t_eval=times,
        rtol=1e-12,
        atol=1e-12,
    )
    if not solution.success:
        raise InputError(
            f"horizon: the flow renormalising {law} can't be followed to {times[-1]:g}: {solution.message}"
        )
    return solution.y.T.reshape(-1, *features.shape)


def closed_form(
    times: ArrayLike, initial: ArrayLike, *, classes: int, examples_per_class: int = 1, law: str = "within"
) -> np.ndarray:
    """The SNR singular values at `times` (T,) >= 0, from `initial` (C-1,) at time 0; shape (T, C-1).

    Proposition 2 with its constants, N (C^2 log omega + C omega^2 + omega^4 / 4) = t + a, and the laws of the two
    other flows, to the last digits of float64 at any time: solved not for omega but for its growth (`_growth_terms`).
    """
    initial = np.asarray(initial, dtype=float)
    elapsed = np.asarray(times, dtype=float)[:, None] / examples_per_class
    with np.errstate(over="ignore"):  # infinity is as near as float64 comes, where nothing is renormalised
        return initial * np.exp(_growth(elapsed, _growth_terms(initial, classes, law)))


def fitted_times(spectra: np.ndarray, initial: np.ndarray, *, classes: int, law: str = "within") -> np.ndarray:
    """The times t / N at which `closed_form` has the same geometric mean as each of `spectra` (T, C-1); shape (T,).

    One number is fitted to each spectrum, and only to how far it has grown; how its singular values differ remains
    for the law to predict. NaN where the geometric mean is below that of `initial` (C-1,).
    """
    terms = _growth_terms(np.asarray(initial, dtype=float), classes, law)

    def fit(growth: float) -> float:
        if growth < 0:
            return np.nan
        # Some singular values grow by less than the mean and some by more, which puts the time between these two.
        earliest, latest = np.sort(_elapsed(growth, terms))[[0, -1]]
        if earliest == latest:
            return earliest

        def excess(time: float) -> float:
            return _growth(time, terms).mean() - growth

        return brentq(excess, earliest * (1 - 1e-9), latest * (1 + 1e-9), rtol=1e-12)

    return np.array([fit(growth) for growth in np.log(spectra / initial).mean(axis=1)])


def _growth_terms(initial: np.ndarray, classes: int, law: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every law is t / N = linear g + quadratic (e^{2g} - 1) + quartic (e^{4g} - 1), with g = log(omega / omega(0))."""
    squares = initial**2
    none = np.zeros_like(squares)
    if law == "within":
        return none + classes**2, classes * squares, squares**2 / 4
    if law == "everything":
        return none + classes**2, classes * squares / 2, none
    return classes * (classes + squares), none, none


def _elapsed(growth: np.ndarray | float, terms: tuple[np.ndarray, np.ndarray, np.ndarray]) -> np.ndarray:
    linear, quadratic, quartic = terms
    return linear * growth + quadratic * np.expm1(2 * growth) + quartic * np.expm1(4 * growth)


def _growth(elapsed: np.ndarray | float, terms: tuple[np.ndarray, np.ndarray, np.ndarray]) -> np.ndarray:
    """The growth g at t / N, the inverse of `_elapsed`; of the shape that the two broadcast to."""
    linear, quadratic, quartic = terms
    if not quadratic.any():
        return elapsed / linear
    # No term is more than the sum, which bounds the growth three times. The sum is convex and increasing, so Newton's
    # method comes down to the root from the least bound without passing it, and that is close: 8 steps always sufficed.
    with np.errstate(divide="ignore", invalid="ignore"):  # where a law has no such term
        bounds = [elapsed / linear, np.log1p(elapsed / quadratic) / 2, np.log1p(elapsed / quartic) / 4]
    growth = np.fmin.reduce(np.broadcast_arrays(*bounds))
    for _ in range(10):
        slope = linear + 2 * quadratic * np.exp(2 * growth) + 4 * quartic * np.exp(4 * growth)
        growth = growth - (_elapsed(growth, terms) - elapsed) / slope
    return growth


def _covariance(within: np.ndarray) -> np.ndarray:
    flat = within.reshape(-1, within.shape[-1])
    return flat.T @ flat / len(flat)


def _inverse_root(covariance: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    return vectors / np.sqrt(values) @ vectors.T
