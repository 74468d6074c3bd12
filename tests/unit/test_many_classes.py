"""Many classes: what is taken in tiles, in float32 first or in closed form is what the definitions give at once."""

import tracemalloc

import numpy as np
import pytest
from cases import make

from neural_collapse import collapse_measures
from neural_collapse.features import decisions
from neural_collapse.features.accumulation import CollapseAccumulator
from neural_collapse.features.decisions import Decisions
from neural_collapse.features.moments import class_moments
from neural_collapse.metrics import pairs

RANDOM = np.random.default_rng(0)


def many(kind: str) -> tuple[np.ndarray, ...]:
    """Rows (n, P), their labels, centres and weight (C, P), and bias (C,), where float32 alone would decide wrongly."""
    classes, width = 300, 12
    centres = RANDOM.standard_normal((classes, width))
    labels = RANDOM.integers(0, classes, 500)
    weight, bias = RANDOM.standard_normal((classes, width)), RANDOM.standard_normal(classes)
    if kind == "near ties":
        centres[150:] = centres[:150] + 1e-9 * RANDOM.standard_normal((150, width))
        weight[150:], bias[150:] = weight[:150] * (1 + 1e-10 * RANDOM.standard_normal((150, 1))), bias[:150]
    if kind == "all alike":
        weight = np.ones_like(weight) + 1e-9 * weight
        centres = 1 + 1e-9 * centres
    rows = centres[labels] + 0.3 * RANDOM.standard_normal((500, width))
    if kind == "far apart in size":
        weight *= 10.0 ** RANDOM.uniform(-40, 40, (classes, 1))
        rows *= 10.0 ** RANDOM.uniform(-10, 10, (500, 1))
    if kind == "without length":
        rows[7], weight[3] = 0.0, 0.0
    return rows, labels, centres, weight, bias


@pytest.mark.parametrize("kind", ["random", "near ties", "all alike", "far apart in size", "without length"])
def test_decisions_are_those_of_float64(kind, monkeypatch):
    rows, labels, centres, weight, bias = many(kind)
    found = Decisions(centres, weight, bias)
    rows = rows - found.centre if kind != "without length" else rows
    nearest, (decided, margins) = found.nearest(rows), found.linear(rows, labels)
    monkeypatch.setattr(decisions, "MANY", 10**9)
    exact = Decisions(centres, weight, bias)
    np.testing.assert_array_equal(nearest, exact.nearest(rows))
    expected, wanted = exact.linear(rows, labels)
    np.testing.assert_array_equal(decided, expected)
    np.testing.assert_allclose(margins, wanted, rtol=1e-10, atol=1e-13)


def test_float32_decides_nothing_that_it_can_not_tell():
    """The contenders of a row hold the greatest whatever float32 made of it."""
    rows, _, centres, weight, bias = many("near ties")
    scores = Decisions(centres, weight, bias)._linear
    cosines, lengths = scores.screen(rows)
    norms, offsets, sizes = (x.astype(np.float32) for x in (scores.norms, scores.offsets, lengths))
    single = (cosines * norms * sizes[:, None] + offsets).argmax(1)
    exact = (rows @ weight.T + scores.offsets).argmax(1)
    assert (single != exact).any()
    np.testing.assert_array_equal(scores.greatest(rows, cosines, lengths), exact)


@pytest.mark.parametrize("width", [3, 20, 60])
def test_neither_tiles_nor_closed_forms_matter(width, monkeypatch):
    classes = 50
    vectors, others = RANDOM.standard_normal((2, classes, width))
    vectors[7] = vectors[9] + 1e-7 * others[7]  # a distance that products would lose
    variances, bias = RANDOM.uniform(1, 2, classes), RANDOM.standard_normal(classes)
    weights = RANDOM.dirichlet(np.ones(classes))

    monkeypatch.setattr(pairs, "_TILE", 16)
    monkeypatch.setattr(pairs, "_NUMBERS", 7 * classes)
    found = pairs.frame_measures(vectors, "means")
    lengths = np.linalg.norm(vectors, axis=1)
    units = vectors / lengths[:, None]
    beside = ~np.eye(classes, dtype=bool)
    cosines = (units @ units.T)[beside]
    distances = np.linalg.norm(units[:, None] - units, axis=2)[beside]
    simplex = (np.eye(classes) - 1 / classes) / np.sqrt(classes - 1)
    gram, cross = vectors @ vectors.T, vectors @ others.T
    expected = {
        "equinorm_means": lengths.std() / lengths.mean(),
        "equiangularity_means": cosines.std(),
        "max_angle_means": np.abs(cosines + 1 / (classes - 1)).mean(),
        "norm_means": lengths.mean(),
        "etf_error_means": np.linalg.norm(gram / np.linalg.norm(gram) - simplex),
        "log_energy_means": -np.log(distances).mean(),
        "log_energy_variance_means": np.log(distances).var(),
        "riesz_energy_means": (1 / distances).mean(),
        "riesz_energy_variance_means": (1 / distances).var(),
    }
    assert found == pytest.approx(expected, rel=1e-10)
    assert pairs.etf_error(vectors, others) == pytest.approx(np.linalg.norm(cross / np.linalg.norm(cross) - simplex))

    apart = np.linalg.norm(vectors[:, None] - vectors, axis=2) ** 2
    np.fill_diagonal(apart, np.inf)
    ratios = (variances[:, None] + variances) / 2 / apart
    cdnv = pairs.class_distance_normalised_variances(vectors, variances)
    np.testing.assert_allclose(cdnv, ratios.sum(1) / (classes - 1), rtol=1e-10)

    for targets in (np.eye(classes), np.zeros((classes, classes))):
        residuals = vectors @ others.T + bias - targets
        found = pairs.mean_squared_residual(others, bias, vectors, weights, targets=targets.any())
        assert found == pytest.approx(weights @ (residuals**2).sum(1), rel=1e-12)


def test_no_array_of_all_pairs_is_held():
    classes = 3000
    case = make(classes, 4, [2] * classes)
    tracemalloc.start()
    collapse_measures(case.features, case.labels, case.weight, case.bias)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * classes**2 * 0.75


@pytest.mark.parametrize("weighting", ["class", "sample"])
def test_batches_smaller_than_the_number_of_classes(weighting):
    case = make(40, 5, list(RANDOM.integers(1, 9, 40)), mean=100.0)
    halves = [CollapseAccumulator(np.bincount(case.labels), 5, weighting=weighting) for _ in range(2)]
    for place, batch in enumerate(np.array_split(np.arange(len(case.labels)), 20)):
        halves[place % 2].update(case.features[batch], case.labels[batch])
    halves[0].merge(halves[1])
    found, expected = halves[0].moments(), class_moments(case.features, case.labels, 40, weighting)
    np.testing.assert_allclose(found.class_means, expected.class_means, rtol=1e-12)
    np.testing.assert_allclose(found.class_variances, expected.class_variances, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(found.within_class_covariance, expected.within_class_covariance, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(found.weights, expected.weights)
    np.testing.assert_array_equal(found.within_class_covariance, found.within_class_covariance.T)
