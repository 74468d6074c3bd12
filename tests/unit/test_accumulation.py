"""Streams give the moments of the whole, however they are cut, ordered and merged."""

import numpy as np
import pytest
import torch
from cases import CASES, Case, make
from hypothesis import given, settings
from hypothesis import strategies as st

from neural_collapse import CollapseAccumulator
from neural_collapse.errors import InputError
from neural_collapse.features.moments import Moments, class_moments, nearest_centres

by_property = settings(max_examples=15, deadline=None, derandomize=True)


def accumulate(case: Case, batches: list[np.ndarray]) -> CollapseAccumulator:
    accumulator = CollapseAccumulator(np.bincount(case.labels), case.features.shape[1])
    for batch in batches:
        accumulator.update(torch.from_numpy(case.features[batch]), torch.from_numpy(case.labels[batch]))
    return accumulator


def assert_same(found: Moments, expected: Moments) -> None:
    assert (found.class_weights is None) == (expected.class_weights is None)
    for name, wanted in vars(expected).items():
        values = getattr(found, name)
        if wanted is None:
            continue
        np.testing.assert_allclose(values, wanted, rtol=1e-9, atol=1e-13 * abs(wanted).max())


@pytest.mark.parametrize("name", ["random", "collapsed", "imbalanced", "large mean", "one example a class"])
def test_one_pass_over_batches_gives_what_two_passes_over_all_give(name):
    case = CASES[name]
    batches = np.array_split(np.arange(len(case.labels)), 3)
    assert_same(accumulate(case, batches).moments(), class_moments(case.features, case.labels, len(case.weight)))


@pytest.mark.parametrize("as_given", [np.float32, np.float64, np.int8, np.asfortranarray])
def test_moments_of_more_examples_than_are_taken_at_once(as_given):
    random = np.random.default_rng(0)
    labels = random.permutation(np.arange(1000) % 3)
    features = as_given(np.round(5 + labels[:, None] + random.standard_normal((1000, 400))))
    classes = [features[labels == c].astype(np.float64) for c in range(3)]
    means = np.stack([rows.mean(0) for rows in classes])
    deviations = [rows - mean for rows, mean in zip(classes, means, strict=True)]
    covariance = sum(np.einsum("ij,ik->jk", rows, rows) / len(rows) for rows in deviations) / 3
    variances = np.array([(rows**2).sum(1).mean() for rows in deviations])
    assert_same(class_moments(features, labels, 3), Moments(means, covariance, variances))
    distances = np.linalg.norm(features[:, None].astype(np.float64) - means, axis=2)
    np.testing.assert_array_equal(nearest_centres(features, means), distances.argmin(1))


@by_property
@given(st.randoms(use_true_random=False), st.integers(1, 9))
def test_neither_order_nor_batches_nor_merging_matter(random, parts):
    case = CASES["imbalanced"]
    order = np.arange(len(case.labels))
    random.shuffle(order)
    merged, *others = [accumulate(case, np.array_split(part, 2)) for part in np.array_split(order, parts)]
    for other in others:
        merged.merge(other)
    assert_same(merged.moments(), class_moments(case.features, case.labels, 4))


def test_spectral_moments_are_the_moments_in_other_coordinates():
    case = CASES["imbalanced"]
    accumulator = accumulate(case, [np.arange(len(case.labels))])
    moments, (rotated, axes) = accumulator.moments(), accumulator.spectral_moments()
    axes = axes.numpy()
    np.testing.assert_allclose(
        axes * rotated.within_class_covariance @ axes.T, moments.within_class_covariance, atol=1e-14
    )
    np.testing.assert_allclose(rotated.class_means @ axes.T, moments.class_means, atol=1e-14)


def test_float32_features_lose_nothing_to_a_large_mean():
    """E[h h^T] - mu mu^T in float32 would be off by more than the covariance itself."""
    case = make(3, 4, [200] * 3, mean=2000.0)
    single = Case(case.features.astype(np.float32), case.labels, case.weight, case.bias)
    found = accumulate(single, np.array_split(np.arange(600), 7)).moments()
    exact = class_moments(single.features.astype(np.float64), case.labels, 3)
    np.testing.assert_allclose(found.within_class_covariance, exact.within_class_covariance, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("integers", [np.int64, np.int32, np.uint8])
@pytest.mark.parametrize("of", [np.asarray, torch.from_numpy], ids=["arrays", "tensors"])
def test_labels_are_any_integers_and_batches_arrays_or_tensors(of, integers):
    case = CASES["imbalanced"]
    accumulator = CollapseAccumulator(np.bincount(case.labels), case.features.shape[1])
    accumulator.update(of(case.features), of(case.labels.astype(integers)))
    assert_same(accumulator.moments(), class_moments(case.features, case.labels, 4))


@pytest.mark.parametrize(
    ("features", "labels", "sentence"),
    [
        (CASES["random"].features, CASES["random"].labels[1:], "labels: must be one integer for each of the 24"),
        (CASES["random"].features, CASES["random"].labels / 1.0, "labels: must be one integer for each of the 24"),
        (CASES["random"].features[:, 1:], CASES["random"].labels, r"features: must have the shape \(n, 5\)"),
        (CASES["random"].features, CASES["random"].labels - 1, r"labels: must lie in 0\.\.3.*found 6 that don't"),
        (CASES["random"].features, CASES["random"].labels * 2, r"labels: must lie in 0\.\.3.*found 12 that don't"),
    ],
)
def test_batches_that_do_not_fit_are_told(features, labels, sentence):
    accumulator = CollapseAccumulator([6] * 4, 5)
    with pytest.raises(InputError, match=sentence):
        accumulator.update(features, labels)
        accumulator.moments()


def test_mistakes_are_told():
    case = CASES["random"]
    with pytest.raises(InputError, match=r"every class needs an example, found \[3, 0\]\."):
        CollapseAccumulator([3, 0], 4)
    with pytest.raises(InputError, match=r"every class needs an example, found \[0, 0, 0.*, \.\.\.\]\."):
        CollapseAccumulator(np.zeros(50_000), 4)
    with pytest.raises(InputError, match="weighting: must be class or sample, found example"):
        CollapseAccumulator([3, 3], 4, weighting="example")
    with pytest.raises(InputError, match=r"\[6, 6, 6, 6\] examples were announced, \[3, 1, 3, 3\] have come"):
        accumulate(
            Case(case.features, np.sort(case.labels), case.weight, case.bias),
            [np.array([0, 1, 2, 6, 12, 13, 14, 18, 19, 20])],
        ).moments()
    diverged = Case(np.full_like(case.features, np.inf), case.labels, case.weight, case.bias)
    with pytest.raises(InputError, match="not finite"):
        accumulate(diverged, [np.arange(24)]).moments()
    with pytest.raises(InputError, match="different class counts"):
        CollapseAccumulator([1, 2], 4).merge(CollapseAccumulator([2, 1], 4))
    with pytest.raises(InputError, match="or weightings"):
        CollapseAccumulator([1, 2], 4).merge(CollapseAccumulator([1, 2], 4, weighting="sample"))
