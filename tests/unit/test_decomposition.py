"""The least-squares classifier against 50 digits, the identity of the loss, and the signal-to-noise spectrum."""

import mpmath as mp
import numpy as np
import pytest
from cases import CASES, make
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import Oracle

from neural_collapse.features.moments import Moments, class_moments
from neural_collapse.metrics.decomposition import (
    decompose_loss,
    least_squares_classifier,
    regularised_snr,
    snr_spectrum,
)

LAMBDAS = (0.0, 1e-6, 1e-4, 1e-2, 1.0)


def spectral(moments: Moments) -> tuple[Moments, np.ndarray]:
    eigenvalues, axes = np.linalg.eigh(moments.within_class_covariance)
    return Moments(moments.class_means @ axes, eigenvalues, moments.class_variances), axes


def worst_error(case, lam: float, bias: bool, kept: str) -> float:
    """The largest error of W_LS and of b_LS, each relative to its largest number."""
    oracle = Oracle(case.features, case.labels, len(case.weight))
    expected = [np.array(matrix.tolist(), dtype=float) for matrix in oracle.least_squares_classifier(lam, bias)]
    moments = class_moments(case.features, case.labels, len(case.weight))
    axes = np.eye(len(moments.within_class_covariance))
    if kept == "eigenvalues":
        moments, axes = spectral(moments)
    weight, offset = least_squares_classifier(moments.class_means, moments.within_class_covariance, lam, bias=bias)
    found = weight @ axes.T, offset[:, None]
    return max(abs(f - e).max() / max(abs(e).max(), 1e-3) for f, e in zip(found, expected, strict=True))


@pytest.mark.parametrize("kept", ["covariance", "eigenvalues"])
@pytest.mark.parametrize("with_bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("name", CASES)
def test_least_squares_classifier(name, with_bias, kept):
    assert max(worst_error(CASES[name], lam, with_bias, kept) for lam in LAMBDAS) < 1e-9


@pytest.mark.parametrize("kept", ["covariance", "eigenvalues"])
def test_least_squares_classifier_where_conditioning_forbids_nine_digits(kept):
    """Rounding of a mean 1e3 times the spread reaches directions without variance, where lambda = 1e-6 amplifies it.

    2e-16 * 1e3 * 1e6 = 2e-7 is what may be lost, relative to the classifier.
    """
    case = make(4, 6, [6] * 4, rank=4, mean=500.0)
    assert worst_error(case, 1e-6, False, kept) < 2e-7


@pytest.mark.parametrize("with_bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("name", CASES)
def test_loss_is_the_sum_of_its_terms(name, with_bias):
    case = CASES[name]
    moments = class_moments(case.features, case.labels, len(case.weight))
    rotated, axes = spectral(moments)
    for lam in LAMBDAS:
        for kept, weight in ((moments, case.weight), (rotated, case.weight @ axes)):
            terms = decompose_loss(kept, weight, case.bias if with_bias else None, lam)
            total = terms["loss_nc1"] + terms["loss_nc23"] + terms["loss_perp"]
            assert total == pytest.approx(terms["loss"], rel=1e-10)
            assert terms["loss_perp"] >= 0


def least_loss(oracle: Oracle, ridge: mp.mpf) -> float:
    """The smallest L at lambda = 0 with Sigma_W + ridge I for Sigma_W, in 50 digits (docs/theory.md, "The loss")."""
    means = mp.matrix([list(mean) for mean in oracle.centred])
    total = oracle.within + ridge * mp.eye(means.cols) + means.T * means / oracle.classes
    explained = means * mp.inverse(total) * means.T
    trace = sum(explained[c, c] for c in range(oracle.classes))
    return float((1 - mp.mpf(1) / oracle.classes - trace / oracle.classes**2) / 2)


def assert_least_loss(features, labels, classes):
    """At lambda = 0 L_LS is the smallest L up to the rounding of Sigma_W, and the terms add up."""
    oracle = Oracle(features, labels, classes)
    moments = class_moments(features, labels, classes)
    rotated, axes = spectral(moments)
    exact = least_loss(oracle, mp.mpf(0))
    rounding = 2e-14 * rotated.within_class_covariance.max()
    slack = least_loss(oracle, mp.mpf(rounding)) - exact + 1e-12
    weight = np.random.default_rng(0).standard_normal((classes, features.shape[1]))
    for kept, w in ((moments, weight), (rotated, weight @ axes), (rotated, 0 * weight)):
        terms = decompose_loss(kept, w, np.zeros(classes), 0.0)
        assert abs(terms["loss_ls"] - exact) <= slack
        assert terms["loss_ls"] <= (1 - 1 / classes) / 2 * (1 + 1e-12)  # of W = 0, b = 1/C
        assert terms["loss_ls"] + terms["loss_perp"] == pytest.approx(terms["loss"], rel=1e-8)


def test_a_variance_near_rounding_is_not_taken_for_none():
    """A feature of 5e-7 times the size of the others, along which the means differ by half a standard deviation."""
    random = np.random.default_rng(0)
    labels = np.arange(90) % 3
    features = random.standard_normal((90, 4)) + random.standard_normal((3, 4))[labels]
    features[:, 3] = 5e-7 * (random.standard_normal(90) + 0.5 * random.standard_normal(3)[labels])
    assert_least_loss(features, labels, 3)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(2, 4), st.integers(2, 5), st.integers(-9, -5), st.booleans(), st.integers(0, 10**6))
def test_loss_of_features_of_very_different_sizes(classes, width, smallest, turned, seed):
    random = np.random.default_rng(seed)
    labels = np.arange(8 * classes) % classes
    features = random.standard_normal((classes, width))[labels] * 10 ** random.uniform(smallest, 0, width)
    features += random.standard_normal(features.shape) * 10 ** random.uniform(smallest, 0, width)
    if turned:
        features = features @ np.linalg.qr(random.standard_normal((width, width)))[0]
    assert_least_loss(features.astype(np.float32).astype(np.float64), labels, classes)


def test_nothing_is_left_of_the_loss_at_the_least_squares_classifier():
    case = CASES["imbalanced"]
    moments = class_moments(case.features, case.labels, 4)
    weight, bias = least_squares_classifier(moments.class_means, moments.within_class_covariance, 1e-3)
    terms = decompose_loss(moments, weight, bias, 1e-3)
    assert terms["loss_perp"] == terms["classifier_distance"] == 0
    assert terms["loss_ls"] == pytest.approx(terms["loss"], rel=1e-14)


@pytest.mark.parametrize("name", ["random", "collapsed", "imbalanced", "large mean", "more classes than features"])
def test_snr_spectrum(name):
    case = CASES[name]
    oracle = Oracle(case.features, case.labels, len(case.weight))
    moments, _ = spectral(class_moments(case.features, case.labels, len(case.weight)))
    expected = [float(omega) for omega in oracle.snr_spectrum()]
    spectrum, rank, unseen = snr_spectrum(moments)
    assert spectrum == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert (rank, unseen) == (case.features.shape[1], 0.0)


def test_snr_spectrum_reports_what_a_singular_covariance_hides():
    case = CASES["random"]
    features = np.column_stack([case.features, np.zeros(24), case.labels])  # a dead feature, and a perfect one
    moments, _ = spectral(class_moments(features, case.labels, 4))
    without, _ = spectral(class_moments(case.features, case.labels, 4))
    spectrum, rank, unseen = snr_spectrum(moments)
    assert spectrum == pytest.approx(snr_spectrum(without)[0])
    variances = ((moments.class_means - moments.class_means.mean(0)) ** 2).sum(), np.arange(4).var() * 4
    assert rank == 5
    assert unseen == pytest.approx(variances[1] / variances[0])


@pytest.mark.parametrize("lam", [1e-4, 1e-2, 1.0])
@pytest.mark.parametrize("kept", ["covariance", "eigenvalues"])
@pytest.mark.parametrize("name", CASES)
def test_the_regularised_spectrum_decides_the_loss(name, kept, lam):
    """The spectrum is that of 50 digits, and the law gives L_LS at any global mean, collapse and rank."""
    case = CASES[name]
    classes = len(case.weight)
    moments = class_moments(case.features, case.labels, classes)
    if kept == "eigenvalues":
        moments, _ = spectral(moments)
    found, law = regularised_snr(moments, lam)
    oracle = Oracle(case.features, case.labels, classes)
    expected = [float(omega) for omega in oracle.regularised_snr(lam)]
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-9 * max(expected))
    exact = oracle.measures(case.weight, case.bias, lam)["loss_ls"]
    assert law == pytest.approx(float(exact), rel=1e-9 if "large mean" in name else 1e-12)
    if "large mean" not in name:
        assert law == pytest.approx(decompose_loss(moments, 0 * case.weight, case.bias, lam)["loss_ls"], rel=1e-12)


@pytest.mark.parametrize("with_bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("name", CASES)
def test_the_parts_of_the_distance_add_up(name, with_bias):
    case = CASES[name]
    moments = class_moments(case.features, case.labels, len(case.weight))
    terms = decompose_loss(moments, case.weight, case.bias if with_bias else None, 1e-2)
    parts = terms["distance_in_span"] ** 2 + terms["distance_outside_span"] ** 2
    assert parts == pytest.approx(terms["classifier_distance"] ** 2, rel=1e-12)
