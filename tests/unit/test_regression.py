"""Neural regression collapse against its definition in 50 digits."""

import mpmath as mp
import numpy as np
import pytest

from neural_collapse import regression_measures
from neural_collapse.errors import InputError

RANDOM = np.random.default_rng(0)
FEATURES = RANDOM.standard_normal((20, 5)) * [3, 2, 1, 0.5, 0.1] + 4
TARGETS = FEATURES[:, :2] @ RANDOM.standard_normal((2, 2)) + 0.1 * RANDOM.standard_normal((20, 2))
WEIGHT, BIAS = RANDOM.standard_normal((2, 5)), RANDOM.standard_normal(2)


def exact(features, targets, weight) -> dict[str, mp.mpf]:
    h, y, w = (mp.matrix(array.tolist()) for array in (features, targets, weight))

    def covariance(rows):
        centred = rows - mp.matrix([[sum(rows[:, j]) / rows.rows for j in range(rows.cols)]] * rows.rows)
        return centred, centred.T * centred / rows.rows

    centred, of_features = covariance(h)
    _, axes = mp.eigsy(of_features)  # in rising order
    components = axes[:, axes.cols - w.rows :].T

    def outside(basis):
        projection = basis.T * mp.inverse(basis * basis.T) * basis
        found = 0
        for i in range(h.rows):
            x = centred[i, :] / mp.norm(centred[i, :])
            found += mp.norm(x - x * projection) ** 2
        return found / h.rows

    _, sigma = covariance(y)
    roots = mp.sqrtm(sigma)
    gram = w * w.T

    def distance(gamma):
        wanted = roots - mp.sqrt(gamma) * mp.eye(w.rows)
        return mp.mnorm(gram / mp.mnorm(gram, "f") - wanted / mp.mnorm(wanted, "f"), "f") ** 2

    low, high = mp.mpf(0), min(mp.eigsy(sigma, eigvals_only=True)) * (1 - mp.mpf("1e-30"))
    for _ in range(200):  # the distance falls and rises once
        third = (high - low) / 3
        low, high = (low, high - third) if distance(low + third) < distance(high - third) else (low + third, high)
    return {"nrc1": outside(components), "nrc2": outside(w), "nrc3": distance(low), "nrc3_gamma": low}


@pytest.mark.parametrize("scale", [0.3, 1.0])
def test_every_measure_agrees_with_its_definition(scale):
    weight = WEIGHT * [[1], [scale]]
    found = regression_measures(FEATURES.astype(np.float32), TARGETS, weight, BIAS)
    expected = exact(FEATURES.astype(np.float32).astype(float), TARGETS, weight)
    assert found["mse"] == pytest.approx(((FEATURES.astype(np.float32) @ weight.T + BIAS - TARGETS) ** 2).mean())
    for name, value in expected.items():
        assert found[name] == pytest.approx(float(value), rel=1e-6 if name == "nrc3_gamma" else 1e-9, abs=1e-12)


def test_all_is_zero_at_collapse():
    roots = np.linalg.cholesky(np.cov(TARGETS.T, bias=True))
    left, sizes, _ = np.linalg.svd(roots)
    gamma = 0.3 * sizes[-1] ** 2
    weight = (left * np.sqrt(sizes - np.sqrt(gamma))) @ np.eye(2, 5)  # W W^T = Sigma^{1/2} - gamma^{1/2} I
    features = np.linalg.solve(weight @ weight.T, TARGETS.T).T @ weight
    found = regression_measures(features, TARGETS, weight)
    expected = {"nrc1": 0.0, "nrc2": 0.0, "nrc3": 0.0, "nrc3_gamma": gamma, "mse": 0.0}
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-14)
    single = regression_measures(FEATURES, TARGETS[:, 0], WEIGHT[:1])
    assert single["nrc3"] == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"features": None}, "features: must have the shape (N, P), found None."),
        ({"targets": TARGETS[1:]}, "targets: must have the shape (20, n), a row an example, found (19, 2)."),
        ({"weight": WEIGHT.T}, "weight: must have the shape (2, 5), a row a target, at most P of them, found (5, 2)."),
        ({"bias": np.zeros(3)}, "bias: must have the shape (2,), one number a target, found (3,)."),
        ({"targets": TARGETS * np.nan}, "targets: all numbers must be finite, found nan at [0, 0]."),
    ],
)
def test_bad_input_is_one_sentence(changes, sentence):
    with pytest.raises(InputError) as error:
        regression_measures(**{"features": FEATURES, "targets": TARGETS, "weight": WEIGHT, "bias": BIAS} | changes)
    assert str(error.value) == sentence
