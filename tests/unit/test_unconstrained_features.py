"""Free features under MSE loss: the closed form of their minimum, against the loss, its gradient and its flow."""

import numpy as np
import pytest

from neural_collapse.__main__ import main
from neural_collapse.errors import InputError
from neural_collapse.metrics.tables import read_systems
from neural_collapse.theory.unconstrained_features import (
    Point,
    global_minimum,
    gradient,
    gradient_flow,
    random_point,
    unconstrained_loss,
)

C, N, P = 4, 3, 6
DECAYS = (0.02, 0.01)
either = pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])


def naive_loss(point, weight_decay, feature_decay):
    total = 0.0
    for c, of_class in enumerate(point.features):
        for h in of_class:
            for k, row in enumerate(point.weight):
                logit = sum(w * x for w, x in zip(row, h, strict=True)) + (0 if point.bias is None else point.bias[k])
                total += (logit - (k == c)) ** 2 / (2 * C * N)
    decay = weight_decay * sum(w**2 for w in point.weight.flat) + feature_decay * sum(h**2 for h in point.features.flat)
    return total + decay / 2


def at_minimum(bias):
    """A minimiser, put together by the closed form: W and the features along the same orthonormal directions."""
    minimum = global_minimum(C, N, *DECAYS, bias=bias)
    frame = np.eye(C) - bias / C
    directions = np.linalg.qr(np.random.default_rng(1).standard_normal((P, C)))[0].T
    rows = frame @ directions / np.linalg.norm(frame[0])
    return Point(
        minimum.weight * rows,
        np.full(C, 1 / C) if bias else None,
        np.repeat(minimum.feature * rows, N, 0).reshape(C, N, P),
    )


@either
def test_the_loss_is_the_definition_and_the_gradient_its_slope(bias):
    point, step = random_point(C, N, P, 0, bias=bias), random_point(C, N, P, 1, bias=bias)
    assert unconstrained_loss(point, *DECAYS) == pytest.approx(naive_loss(point, *DECAYS), rel=1e-13)
    parts = [[(a if a is None else a + sign * 1e-6 * b) for a, b in zip(point, step, strict=True)] for sign in (1, -1)]
    slope = (naive_loss(Point(*parts[0]), *DECAYS) - naive_loss(Point(*parts[1]), *DECAYS)) / 2e-6
    found = sum((g * s).sum() for g, s in zip(gradient(point, *DECAYS), step, strict=True) if g is not None)
    assert found == pytest.approx(slope, rel=1e-7)


@either
def test_the_closed_form_is_a_minimum_and_no_point_is_below_it(bias):
    point, minimum = at_minimum(bias), global_minimum(C, N, *DECAYS, bias=bias)
    assert unconstrained_loss(point, *DECAYS) == pytest.approx(minimum.loss, rel=1e-13)
    assert all(np.abs(part).max() < 1e-15 for part in gradient(point, *DECAYS) if part is not None)
    random = np.random.default_rng(0)
    for size in (1e-3, 0.1, 1.0):
        for _ in range(100):
            near = Point(
                *(part if part is None else part + size * random.standard_normal(part.shape) for part in point)
            )
            assert unconstrained_loss(near, *DECAYS) > minimum.loss


@either
def test_the_flow_ends_in_collapse_at_the_closed_form(bias):
    minimum = global_minimum(C, N, *DECAYS, bias=bias)
    end = gradient_flow(random_point(C, N, P, 0, bias=bias), 3000.0, *DECAYS)
    assert unconstrained_loss(end, *DECAYS) == pytest.approx(minimum.loss, abs=1e-10)
    logits = end.features @ end.weight.T + (0 if end.bias is None else end.bias)
    expected = minimum.gain * (np.eye(C) - bias / C) + bias / C
    assert np.abs(logits - expected[:, None]).max() < 1e-6
    assert np.ptp(end.features, axis=1).max() < 1e-6  # NC1
    assert np.linalg.norm(end.weight, axis=1) == pytest.approx(minimum.weight, abs=1e-6)
    assert np.linalg.norm(end.features, axis=2) == pytest.approx(minimum.feature, abs=1e-6)
    assert end.weight * minimum.feature == pytest.approx(end.features.mean(1) * minimum.weight, abs=1e-6)  # NC3


@either
@pytest.mark.parametrize("time", [0.3, 5, 60])
def test_what_the_flow_keeps_of_its_start_decays_at_a_known_rate(bias, time):
    def imbalance(point):
        features = point.features.reshape(-1, P)
        return point.weight.T @ point.weight - features.T @ features

    def within(point):
        return point.features - point.features.mean(1, keepdims=True)

    start = random_point(C, N, P, 0, bias=bias)
    end = gradient_flow(start, time, 0.02, 0.02)
    np.testing.assert_allclose(imbalance(end), np.exp(-2 * 0.02 * time) * imbalance(start), atol=1e-8)
    assert np.linalg.norm(within(end)) < np.exp(-0.02 * time) * np.linalg.norm(within(start))


def test_the_table_of_the_flow_ends_at_the_closed_form(tmp_path):
    assert main(["simulate-unconstrained-features", "--output", str(tmp_path / "table.csv")]) == 0
    table = read_systems([tmp_path / "table.csv"])
    gains = {}
    for (system, law), rows in table.groupby(["system", "law"]):
        values = rows.pivot(index="time", columns="measure", values="value")
        classes, examples = rows[["classes", "examples_per_class"]].iloc[0]
        decay = float(law.removeprefix("feature_decay_"))
        minimum = global_minimum(classes, examples, 0.01, decay, bias=system == "bias")._asdict()
        for measure, expected in minimum.items():
            assert (values[f"{measure}__minimum"] == expected).all()
            assert values[measure].iloc[-1] == pytest.approx(expected, abs=1e-6)
            assert np.ptp(values[measure]) > 0.05
        assert (values.loss.diff().dropna() < 1e-12).all()
        gains[system, decay] = minimum["gain"]
        collapse = values.filter(["nc1", "frame_error", "self_duality"])
        assert collapse.shape[1] == (3 if minimum["gain"] else 0)
        assert (collapse.iloc[-1] < 1e-6).all() and (collapse.iloc[0] > 0.5).all()
    assert gains == {
        (s, d): pytest.approx(z) for s in ("bias", "no_bias") for d, z in [(0.01, 0.9), (0.25, 0.5), (1.44, 0)]
    }


def test_decay_that_costs_more_than_the_classes_are_worth_leaves_nothing():
    minimum = global_minimum(C, N, 0.5, 0.5)
    assert (minimum.gain, minimum.weight, minimum.feature) == (0, 0, 0)
    end = gradient_flow(random_point(C, N, P, 0), 200.0, 0.5, 0.5)
    assert unconstrained_loss(end, 0.5, 0.5) == pytest.approx(minimum.loss, abs=1e-12)
    with pytest.raises(InputError, match="both must be above 0"):
        global_minimum(C, N, 0, 0.1)


def test_with_a_measured_decay_of_features_the_minimum_restates_that_the_classifier_is_least_squares():
    weight_decay, length = 0.02, 1.7
    frame = np.eye(C) - 1 / C
    directions = np.linalg.qr(np.random.default_rng(1).standard_normal((P, C)))[0].T
    means = length * frame @ directions / np.linalg.norm(frame[0])
    ridge = np.linalg.solve(means.T @ means / C + weight_decay * np.eye(P), means.T @ frame / C).T  # its bias is 1/C
    rows = np.linalg.norm(ridge, axis=1)
    minimum = global_minimum(C, N, weight_decay, weight_decay * rows[0] ** 2 / (N * length**2))
    np.testing.assert_allclose(ridge @ means.T, minimum.gain * frame, atol=1e-14)
    np.testing.assert_allclose(rows, minimum.weight)
    assert minimum.feature == pytest.approx(length)
