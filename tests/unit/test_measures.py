"""Every measure against its definition in 50 digits, and what it must not depend on."""

import mpmath as mp
import numpy as np
import pytest
from cases import CASES, Case, make
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import Oracle

from neural_collapse.features.moments import class_moments
from neural_collapse.metrics.measures import class_measures, collapse_measures, variability_collapse


def assert_agree(found: dict[str, float], expected: dict[str, mp.mpf], *about: object) -> None:
    for measure, value in expected.items():
        error = abs(found[measure] - value)
        assert error <= 1e-9 * abs(value) + 1e-12, (measure, *about, found[measure], mp.nstr(value))


@pytest.mark.parametrize("with_bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("name", CASES)
def test_every_measure_agrees_with_its_definition(name, with_bias):
    case = CASES[name]
    bias = case.bias if with_bias else None
    oracle = Oracle(case.features, case.labels, len(case.weight))
    for lam in (0.0, 1e-6, 1e-3, 1.0):
        found = collapse_measures(case.features, case.labels, case.weight, bias, weight_decay_lambda=lam)
        expected = oracle.measures(case.weight, bias, lam)
        weighted = {measure for measure in found if measure.endswith("__sample_weighted")}
        assert found.keys() - weighted == expected.keys() - weighted
        assert_agree(found, expected, lam)


@pytest.mark.parametrize("name", ["imbalanced", "collapsed, rank-deficient, imbalanced"])
@pytest.mark.parametrize("with_bias", [True, False], ids=["bias", "no bias"])
def test_every_example_may_count_the_same(name, with_bias):
    case = CASES[name]
    bias = case.bias if with_bias else None
    oracle = Oracle(case.features, case.labels, len(case.weight), "sample")
    for lam in (0.0, 1e-3):
        found = collapse_measures(case.features, case.labels, case.weight, bias, weight_decay_lambda=lam)
        expected = oracle.measures(case.weight, bias, lam)
        del expected["cosine_margin"], expected["cdnv"]
        names = [name for name in expected if f"{name}__sample_weighted" in found]
        assert {"nc1", "snr_3", "self_duality", "numerical_rank", "loss", "loss_nc23", "loss_perp"} <= set(names)
        assert_agree(found, {f"{name}__sample_weighted": expected[name] for name in names}, lam)


def test_without_a_classifier_all_that_needs_none_is_measured():
    case = CASES["imbalanced"]
    whole = collapse_measures(case.features, case.labels, case.weight, case.bias)
    found = collapse_measures(case.features, case.labels)
    assert {"nc1", "etf_error_means", "snr_1", "ncc_error", "nc1__sample_weighted"} <= found.keys()
    assert found == pytest.approx({name: whole[name] for name in found}, rel=1e-12)


@pytest.mark.parametrize("name", ["random", "rank-deficient", "more classes than features"])
def test_what_tells_one_class_from_another(name):
    case = CASES[name]
    found = class_measures(case.features, case.labels)
    expected = Oracle(case.features, case.labels, len(case.weight)).of_classes()
    assert found.keys() == expected.keys()
    for measure, values in expected.items():
        np.testing.assert_allclose(found[measure], np.array(values, dtype=float), rtol=1e-9, err_msg=measure)


def test_a_class_that_does_not_vary_has_no_rank():
    found = class_measures(np.eye(4)[[0, 0, 1, 2]], np.array([0, 0, 1, 1]))
    assert np.isnan(found["stable_rank"][0]) and found["stable_rank"][1] == pytest.approx(1)


def test_nc1_about_the_class_means_of_another_split():
    case, centres = CASES["imbalanced"], CASES["random"].weight
    moments = class_moments(case.features, case.labels, 4)
    deviations = [case.features[case.labels == c] - centres[c] for c in range(4)]
    within = np.mean([d.T @ d / len(d) for d in deviations], axis=0)
    between = np.cov(centres.T, bias=True)
    expected = np.trace(within @ np.linalg.pinv(between)) / 4
    assert variability_collapse(moments, centres) == pytest.approx(expected, rel=1e-10)


def test_perfect_collapse_gives_the_values_it_has_in_theory():
    frame = np.eye(5) - 1 / 5
    labels = np.tile(np.arange(5), 3)
    found = collapse_measures(3 * frame[labels], labels, 2 * frame, np.full(5, 0.2))
    zero = ["error", "ncc_mismatch", "nc1", "equinorm_means", "equiangularity_means", "max_angle_means", "self_duality"]
    zero += ["equinorm_classifier", "equiangularity_classifier", "max_angle_classifier", "cdnv", "trace_ratio"]
    zero += ["etf_error_classifier", "etf_error_duality", "loss_ls"]
    assert {name: found[name] for name in zero} == pytest.approx(dict.fromkeys(zero, 0.0), abs=1e-14)
    assert found["alignment"] == pytest.approx(1)
    assert found["numerical_rank"] == pytest.approx(4)
    assert found["cosine_margin"] == pytest.approx(5 / 4)
    assert found["cosine_margin_min"] == pytest.approx(5 / 4)


def test_measures_that_do_not_exist_are_nan():
    labels = np.arange(8) % 2
    found = collapse_measures(np.ones((8, 3)), labels, np.eye(2, 3), np.zeros(2))
    assert np.isnan([found[name] for name in ("nc1", "equinorm_means", "cdnv", "numerical_rank", "self_duality")]).all()
    assert found["error"] == 0.5


# Shapes and a seed of random features; the same on every run.
features = st.builds(
    lambda classes, width, per_class, seed: make(
        classes, width, list(range(per_class, per_class + classes)), seed=seed, mean=1.0
    ),
    classes=st.integers(2, 5),
    width=st.integers(2, 8),
    per_class=st.integers(2, 6),
    seed=st.integers(0, 10**6),
)
by_property = settings(max_examples=15, deadline=None, derandomize=True)


def measure(case: Case, lam: float = 1e-2) -> dict[str, float]:
    return collapse_measures(case.features, case.labels, case.weight, case.bias, weight_decay_lambda=lam)


@by_property
@given(features)
def test_no_measure_depends_on_the_basis(case):
    random = np.random.default_rng(0)
    rotation, _ = np.linalg.qr(random.standard_normal((case.features.shape[1],) * 2))
    rotated = Case(case.features @ rotation, case.labels, case.weight @ rotation, case.bias)
    assert measure(rotated) == pytest.approx(measure(case), rel=1e-9, abs=1e-12)


@by_property
@given(features)
def test_no_measure_depends_on_the_order_of_examples_or_names_of_classes(case):
    random = np.random.default_rng(0)
    order, names = random.permutation(len(case.labels)), random.permutation(len(case.weight))
    shuffled = Case(case.features[order], np.argsort(names)[case.labels[order]], case.weight[names], case.bias[names])
    assert measure(shuffled) == pytest.approx(measure(case), rel=1e-9, abs=1e-12)


@by_property
@given(features, st.floats(1e-3, 1e3))
def test_only_lengths_depend_on_the_scale_of_features_and_classifier(case, scale):
    """With lambda = 0 and the classifier scaled inversely the loss is the same, too."""
    expected, found = (
        measure(scaled, lam=0.0)
        for scaled in (case, Case(case.features * scale, case.labels, case.weight / scale, case.bias))
    )
    distances = ("classifier_distance", "distance_in_span", "distance_outside_span")
    for name in ("norm_means", "norm_classifier", *distances):
        for variant in (name, f"{name}__sample_weighted"):
            expected.pop(variant, None)
            found.pop(variant, None)
    assert found == pytest.approx(expected, rel=1e-7, abs=1e-9)


@by_property
@given(features)
def test_repeating_a_class_changes_nothing_but_the_shares(case):
    """Every class weighs the same: twice as many examples of one leave all but shares of examples as they were."""
    twice = np.concatenate([np.arange(len(case.labels)), np.flatnonzero(case.labels == 0)])
    expected, found = (
        measure(c) for c in (case, Case(case.features[twice], case.labels[twice], case.weight, case.bias))
    )
    same = [name for name in found if name not in ("error", "ncc_error", "ncc_mismatch")]
    same = [name for name in same if "sample" not in name and "minority" not in name]
    assert {name: found[name] for name in same} == pytest.approx(
        {name: expected[name] for name in same}, rel=1e-9, abs=1e-12
    )
