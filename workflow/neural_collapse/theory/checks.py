"""What the paper proves, as numbers with bounds: how far each statement is from holding in float64.

Han, Papyan, Donoho (ICLR 2022): Proposition 1, theorem 2, equation 7, Proposition 2 with its corollaries, and lemma 7;
beside it, the minimum that free features have under the same loss.
Each number is a largest error over random features or simulated flows, and has the bound that rounding, or the finite
time of the flow, sets.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..features.moments import Moments
from ..metrics.decomposition import decompose_loss, least_squares_classifier
from .central_path import class_means, closed_form, initial_features, simulate, snr_matrix, within_class_covariance
from .unconstrained_features import global_minimum, gradient_flow, random_point

_LAMBDAS = (1e-3, 1e-2, 0.3)

# C, N, P and the SNR singular values at time 0 of the flow that is followed, and until when: t/N is 1e6 C² at last.
_SYSTEM = (3, 10, 4, (0.5, 2.0))
_TIMES = np.concatenate([[0.0], np.logspace(0, 8, 25)])


class Check(NamedTuple):
    """A statement, what was found of it, the largest value at which it is taken to hold, and whose it is."""

    check: str
    statement: str
    value: float
    bound: float
    source: str = "HPD"


def all_checks() -> Iterator[Check]:
    """Every check, in the order of the paper; takes about three seconds."""
    systems = [_random_features(seed) for seed in range(5)]
    yield Check(
        "proposition_1",
        "the least-squares classifier is that of ridge regression: max |difference| / max |coefficient|",
        max(_ridge_error(features, decay) for features in systems for decay in _LAMBDAS),
        1e-9,
    )
    at_best, smallest = zip(
        *(_loss_perp(features, decay) for features in systems for decay in (0.0, *_LAMBDAS)), strict=True
    )
    yield Check("loss_perp_at_least_squares", "L_perp is zero at the least-squares classifier", max(at_best), 1e-20)
    yield Check(
        "loss_perp_elsewhere",
        "L_perp is above zero elsewhere: max of -L_perp/‖W - W_LS‖² over random W",
        -min(smallest),
        -1e-6,
    )
    yield Check(
        "equation_7",
        "predictions on the central path don't change under invertible maps: max |difference|",
        max(_invariance_error(features, seed) for seed, features in enumerate(systems)),
        1e-9,
    )
    yield from _flow_checks()
    yield Check(
        "lemma_7",
        "zero-mean columns with equal singular values are a simplex ETF: max |Gram matrix - (I - 1 1^T/C)|",
        max(_simplex_error(classes) for classes in (2, 3, 5, 10)),
        1e-12,
    )
    yield Check(
        "unconstrained_features",
        "the flow of free features ends at the minimum: max |logit - that of the closed form|",
        max(_minimum_error(bias) for bias in (True, False)),
        1e-6,
        "Zhou et al., arXiv 2203.01238",
    )


def _flow_checks() -> Iterator[Check]:
    classes, examples, _, initial = _SYSTEM
    matrices = np.array([snr_matrix(x) for x in simulate(initial_features(*_SYSTEM, seed=0), _TIMES)])
    left, omega, right = np.linalg.svd(matrices, full_matrices=False)
    omega = omega[:, : classes - 1]
    expected = -np.sort(-closed_form(_TIMES, initial, classes=classes, examples_per_class=examples), axis=1)
    yield Check(
        "proposition_2",
        "the simulated flow follows the closed form: max |omega_j / closed form - 1|",
        np.abs(omega / expected - 1).max(),
        1e-8,
    )
    # To the next order in t, docs/theory.md: what is left is of the order C³/(t/N)^{3/2} log.
    elapsed = _TIMES[-1] / examples
    start = np.sort(initial)[::-1]
    constants = classes**2 * np.log(start) + classes * start**2 + start**4 / 4
    correction = classes / (2 * np.sqrt(elapsed))
    correction += (np.log(omega[-1]) - 0.5 - constants / classes**2) * classes**2 / (4 * elapsed)
    yield Check(
        "corollary_1_rate",
        "omega_j approaches (4t/N)^(1/4) as the finite-time correction says: max |ratio - 1 + correction|, last time",
        np.abs(omega[-1] / (4 * elapsed) ** 0.25 - 1 + correction).max(),
        1e-6,
    )
    yield Check(
        "corollary_1_ratio",
        "the least omega_j comes up to the greatest: 1 - min/max at the last time",
        1 - omega[-1, -1] / omega[-1, 0],
        1e-4,
    )
    frame = left[0, :, : classes - 1] @ right[0, : classes - 1]
    yield Check(
        "corollary_2",
        "SNR/omega_max approaches the simplex ETF U_0 V_0^T: relative distance at the last time",
        np.linalg.norm(matrices[-1] / omega[-1, 0] - frame) / np.linalg.norm(frame),
        1e-4,
    )


def _random_features(seed: int) -> np.ndarray:
    """Features (C, N, P) = (4, 15, 6), correlated, with a global mean, not renormalised."""
    random = np.random.default_rng(seed)
    mixing = np.eye(6) + random.uniform(-0.3, 0.3, (6, 6))
    return 2 + random.standard_normal((4, 1, 6)) + random.standard_normal((4, 15, 6)) @ mixing


def _ridge_error(features: np.ndarray, decay: float) -> float:
    """Against least squares on the examples themselves, with the weight decay as further rows."""
    weight, bias = least_squares_classifier(class_means(features), within_class_covariance(features), decay)
    classes, examples, width = features.shape
    extended = np.column_stack([features.reshape(-1, width), np.ones(classes * examples)])
    penalty = np.sqrt(decay * classes * examples) * np.eye(width + 1)
    targets = np.vstack([np.repeat(np.eye(classes), examples, axis=0), np.zeros((width + 1, classes))])
    expected = np.linalg.lstsq(np.vstack([extended, penalty]), targets)[0].T
    return float(np.abs(np.column_stack([weight, bias]) - expected).max() / np.abs(expected).max())


def _loss_perp(features: np.ndarray, decay: float) -> tuple[float, float]:
    """L_perp at W_LS, and the least L_perp/‖(W, b) - (W_LS, b_LS)‖² over random classifiers at any distance."""
    means, covariance = class_means(features), within_class_covariance(features)
    variances = ((features - means[:, None]) ** 2).sum(2).mean(1)
    moments = Moments(means, covariance, variances)
    best = least_squares_classifier(means, covariance, decay)
    random = np.random.default_rng(0)
    found = []
    for size in np.logspace(-6, 2, 9):
        step, shift = random.standard_normal(best[0].shape), random.standard_normal(best[1].shape)
        terms = decompose_loss(moments, best[0] + size * step, best[1] + size * shift, decay)
        found.append(terms["loss_perp"] / size**2 / ((step**2).sum() + (shift**2).sum()))
    return decompose_loss(moments, *best, decay)["loss_perp"], min(found)


def _invariance_error(features: np.ndarray, seed: int) -> float:
    """Of W_LS(A H) A H + b_LS(A H) from W_LS(H) H + b_LS(H), for a random A."""
    width = features.shape[-1]
    turned = features @ np.random.default_rng(seed).standard_normal((width, width))
    first, second = (
        x @ weight.T + bias
        for x in (features, turned)
        for weight, bias in [least_squares_classifier(class_means(x), within_class_covariance(x))]
    )
    return float(np.abs(first - second).max())


def _minimum_error(bias: bool) -> float:
    """Of the logits that a flow of unconstrained features ends with, with or without bias."""
    classes, examples, decays = 4, 3, (0.02, 0.01)
    end = gradient_flow(random_point(classes, examples, 6, seed=0, bias=bias), 3000.0, *decays)
    gain = global_minimum(classes, examples, *decays, bias=bias).gain
    logits = end.features @ end.weight.T + (0.0 if end.bias is None else end.bias)
    centre = 1 / classes if bias else 0.0
    expected = gain * (np.eye(classes) - centre) + centre
    return float(np.abs(logits - expected[:, None]).max())


def _simplex_error(classes: int) -> float:
    """Of the Gram matrix of random zero-mean columns, all of whose singular values are made 1."""
    columns = np.random.default_rng(classes).standard_normal((classes + 3, classes))
    left, _, right = np.linalg.svd(columns - columns.mean(1, keepdims=True), full_matrices=False)
    frame = left[:, : classes - 1] @ right[: classes - 1]
    return float(np.abs(frame.T @ frame - (np.eye(classes) - 1 / classes)).max())
