"""The theorems of Han, Papyan & Donoho (2022) as checks, and that the neighbouring laws are other laws."""

import mpmath
import numpy as np
import pytest

from neural_collapse.__main__ import main
from neural_collapse.errors import InputError
from neural_collapse.features.moments import class_moments
from neural_collapse.metrics.decomposition import decompose_loss, least_squares_classifier
from neural_collapse.metrics.measures import collapse_measures
from neural_collapse.metrics.tables import read_systems
from neural_collapse.steps import simulate_central_path
from neural_collapse.theory.central_path import (
    LAWS,
    class_means,
    closed_form,
    fitted_times,
    initial_features,
    simulate,
    snr_matrix,
    velocity,
    within_class_covariance,
)

# C, N, P and the spectrum at time 0: fewest features and classes, many features, a spectrum around 1, ten classes.
SYSTEMS = [
    (3, 20, 2, [0.3, 1.5]),
    (4, 25, 12, [0.5, 1.0, 3.0]),
    (5, 12, 8, [0.8, 0.9, 1.1, 1.2]),
    (10, 30, 16, [0.5, 0.7, 1.0, 1.4, 2.0, 2.5, 3.0, 4.0, 6.0]),
]
SYSTEM = SYSTEMS[1]


def spectrum_of(features):
    return np.linalg.svd(snr_matrix(features), compute_uv=False)[: len(features) - 1]


def labels_of(features):
    return np.repeat(np.arange(len(features)), features.shape[1])


def flat(features):
    return features.reshape(-1, features.shape[-1])


def least_squares_loss(features):
    """L_LS at lambda = 0, from the residuals of every example."""
    weight, bias = least_squares_classifier(class_means(features), within_class_covariance(features))
    return ((features @ weight.T + bias - np.eye(len(features))[:, None]) ** 2).sum(-1).mean() / 2


def random_features(classes=4, examples=15, width=6, seed=3):
    """Nothing special: correlated, with a global mean, not renormalised."""
    random = np.random.default_rng(seed)
    mixing = np.eye(width) + random.uniform(-0.3, 0.3, (width, width))
    means = 2 + random.standard_normal((classes, 1, width))
    return means + random.standard_normal((classes, examples, width)) @ mixing


# --- Section 2: the least-squares classifier and the decomposition ---


@pytest.mark.parametrize("decay", [1e-3, 0.3])
def test_proposition_1_is_a_ridge_regression(decay):
    features = random_features()
    weight, bias = least_squares_classifier(class_means(features), within_class_covariance(features), decay)
    extended = np.column_stack([flat(features), np.ones(len(flat(features)))])
    penalty = np.sqrt(decay * len(extended)) * np.eye(extended.shape[1])
    targets = np.eye(len(features))[labels_of(features)]
    expected = np.linalg.lstsq(np.vstack([extended, penalty]), np.vstack([targets, np.zeros((len(penalty), 4))]))[0].T
    np.testing.assert_allclose(np.column_stack([weight, bias]), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("decay", [0.0, 1e-2])
def test_theorems_1_and_2(decay):
    features = random_features()
    moments = class_moments(flat(features), labels_of(features), len(features))
    best = least_squares_classifier(moments.class_means, moments.within_class_covariance, decay)
    step = np.random.default_rng(0).standard_normal((4, 6)), np.random.default_rng(1).standard_normal(4)
    deviations = []
    for size in (0.0, 1e-3, 1.0):
        weight, bias = best[0] + size * step[0], best[1] + size * step[1]
        terms = decompose_loss(moments, weight, bias, decay)
        residuals = features @ weight.T + bias - np.eye(4)[:, None]
        loss = (residuals**2).sum(-1).mean() / 2 + decay / 2 * ((weight**2).sum() + (bias**2).sum())
        assert loss == pytest.approx(terms["loss_nc1"] + terms["loss_nc23"] + terms["loss_perp"], rel=1e-12)
        deviations.append(terms["loss_perp"])
    assert deviations[0] == 0
    assert 0 < deviations[1] == pytest.approx(deviations[2] * 1e-6)


# --- Section 3.1 and 3.2: invariance, SNR ---


def test_predictions_on_the_central_path_are_invariant():
    features = random_features()
    transformed = features @ np.random.default_rng(5).standard_normal((6, 6))
    predictions = [
        x @ weight.T + bias
        for x in (features, transformed)
        for weight, bias in [least_squares_classifier(class_means(x), within_class_covariance(x))]
    ]
    np.testing.assert_allclose(*predictions, atol=1e-11)
    np.testing.assert_allclose(spectrum_of(transformed), spectrum_of(features), rtol=1e-10)


def test_the_spectrum_decides_the_loss():
    features = random_features()
    expected = (1 / (len(features) + spectrum_of(features) ** 2)).sum() / 2
    assert least_squares_loss(features) == pytest.approx(expected, rel=1e-12)


def test_with_weight_decay_the_loss_sees_the_spectrum_of_the_covariance_plus_lambda():
    decay, classes = 0.02, 4
    features = random_features(classes) - random_features(classes).mean((0, 1))
    covariance = within_class_covariance(features) + decay * np.eye(features.shape[-1])
    omega = np.linalg.svd(np.linalg.cholesky(np.linalg.inv(covariance)).T @ class_means(features).T, compute_uv=False)
    moments = class_moments(flat(features), labels_of(features), classes)
    loss = decompose_loss(moments, np.zeros((classes, features.shape[-1])), np.zeros(classes), decay)["loss_ls"]
    of_spectrum = (1 / (classes + omega[: classes - 1] ** 2)).sum() / 2
    assert loss == pytest.approx(of_spectrum + decay / (2 * classes * (1 + decay)), rel=1e-12)


def test_the_spectrum_sees_less_variability_than_nc1():
    features = random_features()
    nc1 = collapse_measures(flat(features), labels_of(features), np.ones((4, 6)), np.ones(4))["nc1"]
    u = np.linalg.svd((class_means(features) - features.mean((0, 1))).T, full_matrices=True)[0]
    covariance = u.T @ within_class_covariance(features) @ u
    along, across, rest = covariance[:3, :3], covariance[:3, 3:], covariance[3:, 3:]
    scale = ((class_means(features) - features.mean((0, 1))) @ u[:, :3]).T
    weights = np.linalg.inv(scale @ scale.T)
    unpredicted = along - across @ np.linalg.inv(rest) @ across.T
    omega = spectrum_of(features)
    assert np.trace(along @ weights) == pytest.approx(nc1, rel=1e-10)
    assert np.trace(unpredicted @ weights) == pytest.approx((omega**-2.0).sum(), rel=1e-10)
    assert (omega**-2.0).sum() < 0.95 * nc1


def test_initial_features_are_what_they_are_asked_to_be():
    classes, examples, width, spectrum = SYSTEM
    features = initial_features(classes, examples, width, spectrum, seed=1)
    np.testing.assert_allclose(within_class_covariance(features), np.eye(width), atol=1e-13)
    np.testing.assert_allclose(features.mean((0, 1)), 0, atol=1e-14)
    np.testing.assert_allclose(np.sort(spectrum_of(features)), spectrum, rtol=1e-12)


@pytest.mark.parametrize(
    ("system", "message"),
    [((4, 9, 8, [1.0, 2.0]), "3 positive"), ((4, 9, 2, [1.0] * 3), "3 features"), ((4, 3, 9, [1.0] * 3), "4 examples")],
)
def test_impossible_systems_are_one_sentence(system, message):
    with pytest.raises(InputError, match=message):
        initial_features(*system, seed=0)


# --- Equation 5: the flow ---


def test_the_flow_descends_the_loss():
    features = initial_features(*SYSTEMS[0], seed=0)
    step, gradient = 1e-5, np.empty_like(features)
    for place in np.ndindex(features.shape):
        change = np.zeros_like(features)
        change[place] = step
        gradient[place] = (least_squares_loss(features + change) - least_squares_loss(features - change)) / (2 * step)
    np.testing.assert_allclose(velocity(features, law="nothing"), -gradient, atol=1e-9 * np.abs(gradient).max() + 1e-11)


def test_the_projection_removes_the_covariance_part_and_nothing_else():
    features = initial_features(*SYSTEM, seed=0)
    projected, whole = velocity(features), velocity(features, law="nothing")
    means = class_means(features)
    np.testing.assert_allclose(projected, np.broadcast_to(class_means(whole)[:, None], whole.shape), atol=1e-17)
    # What was removed is normal to {Sigma_W = I}: a symmetric matrix times the within-class part.
    within, removed = flat(features - means[:, None]), flat(whole - projected)
    symmetric = within.T @ removed / len(within)
    np.testing.assert_allclose(symmetric, symmetric.T, atol=1e-17)
    np.testing.assert_allclose(removed, within @ symmetric, atol=1e-17)
    assert np.abs(removed).max() > 0.1 * np.abs(projected).max()


@pytest.mark.parametrize("law", ["within", "everything"])
def test_a_law_is_what_renormalising_after_each_step_gives(law):
    features, step = initial_features(*SYSTEM, seed=0), 1e-3
    moved = features + step * velocity(features, law="nothing")
    values, vectors = np.linalg.eigh(within_class_covariance(moved))
    whitening = vectors / np.sqrt(values) @ vectors.T
    kept = class_means(moved)[:, None] if law == "within" else 0
    renormalised = (moved - kept) @ whitening + kept
    difference = (renormalised - features) / step - velocity(features, law=law)
    assert np.abs(difference).max() < 1e-5 * np.abs(velocity(features, law=law)).max()


@pytest.fixture(scope="module", params=SYSTEMS, ids=lambda system: "C{}-N{}-P{}".format(*system))
def followed(request):
    """A system, its times, and its features at each, from one simulation."""
    times = np.concatenate([[0.0], np.logspace(0, 7, 22)])
    return request.param, times, simulate(initial_features(*request.param, seed=0), times)


def test_proposition_2_is_what_the_simulation_does(followed):
    (classes, examples, _, spectrum), times, states = followed
    expected = closed_form(times, spectrum, classes=classes, examples_per_class=examples)
    simulated = np.array([spectrum_of(features) for features in states])[:, ::-1]
    np.testing.assert_allclose(simulated, expected, rtol=1e-9)
    # The singular vectors, the within-class part and the global mean stay where they are.
    start = snr_matrix(states[0])
    left, _, right = np.linalg.svd(start, full_matrices=False)
    core = left[:, : classes - 1].T @ snr_matrix(states[-1]) @ right[: classes - 1].T
    np.testing.assert_allclose(core, np.diag(expected[-1, ::-1]), atol=1e-8)
    within = states - states.mean(axis=2, keepdims=True)
    np.testing.assert_allclose(within[-1], within[0], atol=1e-10)
    np.testing.assert_allclose(states[-1].mean((0, 1)), 0, atol=1e-11)


def test_the_constants_of_proposition_2(followed):
    (classes, examples, _, _), times, states = followed
    omega = np.array([spectrum_of(features) for features in states])
    left_side = examples * (classes**2 * np.log(omega) + classes * omega**2 + omega**4 / 4)
    elapsed = left_side - left_side[0]
    np.testing.assert_allclose(elapsed[1:], np.broadcast_to(times[1:, None], elapsed[1:].shape), rtol=1e-7)


def test_corollary_1(followed):
    (classes, examples, _, spectrum), times, states = followed
    omega = np.array([spectrum_of(features) for features in states])
    ratio = omega[:, -1] / omega[:, 0]
    assert np.all(np.diff(ratio) > 0)
    assert ratio[-1] > 0.999
    # The rate (4t/N)^{1/4} is met to 1 % from about 2500 C^2 on: C/(2 sqrt(t/N)) to leading order, plus a logarithm.
    scaled = np.array([2500, 2800, 1e6]) * classes**2
    rate = closed_form(scaled, spectrum, classes=classes) / (4 * scaled[:, None]) ** 0.25
    assert np.all(np.abs(rate - 1) <= [[0.0105], [0.01], [0.0006]])
    late = times / examples > 2800 * classes**2
    assert late.any()
    assert np.all(np.abs(omega[late] / (4 * times[late, None] / examples) ** 0.25 - 1) < 0.01)


def test_corollary_2(followed):
    (classes, examples, width, spectrum), times, states = followed
    predicted = closed_form(times, spectrum, classes=classes, examples_per_class=examples)
    must_be = np.sqrt(((1 - predicted / predicted.max(axis=1, keepdims=True)) ** 2).mean(axis=1)) < 1e-3
    assert must_be.any()
    left, _, right = np.linalg.svd(snr_matrix(states[0]), full_matrices=False)
    frame = left[:, : classes - 1] @ right[: classes - 1]
    for features in states[must_be]:
        largest = spectrum_of(features)[0]
        assert np.linalg.norm(snr_matrix(features) / largest - frame) < 1e-3 * np.linalg.norm(frame)
        noise = np.sqrt(classes * width / (classes - 1)) / largest
        distance = np.linalg.norm(features / largest - frame.T[:, None])
        assert distance == pytest.approx(noise * np.sqrt(examples) * np.linalg.norm(frame), rel=1e-3)


def test_neural_collapse_emerges_along_the_flow(followed):
    states = followed[-1]
    first, last = (
        collapse_measures(
            flat(features),
            labels_of(features),
            *least_squares_classifier(class_means(features), within_class_covariance(features)),
        )
        for features in (states[0], states[-1])
    )
    assert last["nc1"] == pytest.approx((spectrum_of(states[-1]) ** -2).sum())
    assert last["nc1"] < 0.01 * first["nc1"]
    assert last["max_angle_means"] < 1e-3 < first["max_angle_means"]
    assert last["self_duality"] < 1e-6 < first["self_duality"]
    assert last["ncc_mismatch"] == 0 < first["ncc_mismatch"]


# --- The closed form ---


@pytest.mark.parametrize("law", ["within", "everything"])
def test_the_closed_form_is_exact_at_any_time(law):
    initial, times = np.array([1e-3, 0.3, 1.0, 40.0]), np.concatenate([[0.0], np.logspace(-12, 12, 13)])
    found = closed_form(times, initial, classes=5, examples_per_class=7, law=law)
    np.testing.assert_array_equal(found[0], initial)
    with mpmath.workdps(40):

        def left_side(log_omega):
            squared = mpmath.exp(2 * log_omega)
            return 25 * log_omega + (5 * squared + squared**2 / 4 if law == "within" else mpmath.mpf(5) / 2 * squared)

        for (row, column), omega in np.ndenumerate(found):
            target = left_side(mpmath.log(float(initial[column]))) + mpmath.mpf(float(times[row])) / 7
            exact = mpmath.findroot(lambda u, target=target: left_side(u) - target, mpmath.log(float(omega)))
            assert abs(mpmath.exp(exact) / float(omega) - 1) < 1e-14


def test_the_closed_form_solves_the_differential_equation():
    classes, examples, times = 4, 25, np.logspace(1, 6, 11)
    step = 1e-4 * times
    ahead, now, behind = (
        closed_form(t, [0.5, 1.0, 3.0], classes=classes, examples_per_class=examples)
        for t in (times + step, times, times - step)
    )
    slope = (ahead - behind) / (2 * step[:, None])
    np.testing.assert_allclose(slope, now / (examples * (classes + now**2) ** 2), rtol=1e-7)


@pytest.mark.parametrize("law", LAWS)
def test_a_time_is_found_again_from_the_spectrum(law):
    spectrum, times = np.array(SYSTEM[3]), np.array([0.0, 0.1, 10.0, 100.0])
    spectra = closed_form(times, spectrum, classes=4, law=law)
    np.testing.assert_allclose(fitted_times(spectra, spectrum, classes=4, law=law), times, rtol=1e-8)
    assert np.isnan(fitted_times(0.9 * spectrum[None], spectrum, classes=4, law=law)).all()


# --- Lemma 7, and NC1-NC2 imply NC3-NC4 ---


def test_lemma_7_zero_mean_columns_with_equal_singular_values_are_a_simplex_etf():
    classes, examples, width, _ = SYSTEM
    features = initial_features(classes, examples, width, [2.5] * (classes - 1), seed=0)
    gram = class_means(features) @ class_means(features).T / 2.5**2
    np.testing.assert_allclose(gram, np.eye(classes) - 1 / classes, atol=1e-13)
    # Features that are renormalised and whose means are such a simplex: the classifier is its dual, and decides for the
    # nearest class mean, also where that is the wrong one.
    weight, bias = least_squares_classifier(class_means(features), within_class_covariance(features))
    measures = collapse_measures(flat(features), labels_of(features), weight, bias)
    assert measures["self_duality"] < 1e-25
    assert measures["ncc_mismatch"] == 0 < measures["error"]


# --- Cautions: what is not the central path's law ---


@pytest.mark.parametrize(("law", "horizon"), [("everything", 1e5), ("nothing", 2e3)])
def test_other_flows_have_their_own_law_and_not_proposition_2(law, horizon):
    classes, examples, _, spectrum = SYSTEM
    times = horizon * np.array([0, 0.1, 0.5, 1])
    simulated = np.array([spectrum_of(x) for x in simulate(initial_features(*SYSTEM, seed=0), times, law=law)])
    laws = {
        name: -np.sort(-closed_form(times, spectrum, classes=classes, examples_per_class=examples, law=name))
        for name in LAWS
    }
    np.testing.assert_allclose(simulated, laws[law], rtol=1e-8)
    for other in set(LAWS) - {law}:
        assert np.abs(laws[other][-1] / simulated[-1] - 1).max() > 0.2


def test_without_renormalisation_the_limit_is_no_simplex():
    classes, examples, _, spectrum = SYSTEM
    late = closed_form([1e4], spectrum, classes=classes, examples_per_class=examples, law="nothing")[0]
    assert late[0] == late.max()  # the least at the start overtakes,
    assert late.min() / late.max() < min(spectrum) / max(spectrum)  # and goes on


def test_a_global_mean_without_bias_is_unstable():
    features = initial_features(*SYSTEM, seed=0) + 1e-3
    times = np.array([0.0, 1e7])
    alone, beside_a_bias = (simulate(features, times, bias=bias)[-1] for bias in (False, True))
    assert np.linalg.norm(beside_a_bias.mean((0, 1))) == pytest.approx(np.linalg.norm(features.mean((0, 1))))
    assert np.linalg.norm(alone.mean((0, 1))) > 1e3 * np.linalg.norm(features.mean((0, 1)))
    # The end is an orthogonal frame of C directions: a simplex plus a mean that is as long.
    uncentred = np.linalg.svd(class_means(alone), compute_uv=False)
    assert uncentred[-1] / uncentred[0] > 0.99


# --- The step ---


def test_the_step_writes_simulation_and_closed_form_side_by_side(tmp_path, capsys):
    output = tmp_path / "three.csv"
    system = "--classes 3 --examples-per-class 4 --features 3 --spectrum 0.5 1.5 --horizon 1e5 --seed 0"
    assert main(["simulate-central-path", *system.split(), "--output", str(output)]) == 0
    assert "max |omega_j / closed form - 1|" in capsys.readouterr().out
    table = read_systems([output])
    assert set(table.system) == {"three"}
    assert set(table.law) == set(LAWS)
    wide = table.pivot(index=["law", "time"], columns="measure", values="value")
    for measure in ("snr_1", "snr_2", "snr_ratio", "etf_distance", "features_distance"):
        simulated = wide[wide[measure].notna()]
        np.testing.assert_allclose(simulated[measure], simulated[f"{measure}__closed_form"], rtol=1e-8, atol=1e-10)


def test_the_measures_of_the_step_are_those_of_networks():
    features = initial_features(4, 25, 12, [0.5, 1.0, 3.0], seed=0)
    best = least_squares_classifier(class_means(features), within_class_covariance(features))
    expected = collapse_measures(flat(features), labels_of(features), *best)
    found = simulate_central_path._collapse(features)
    assert found.pop("covariance_drift") < 1e-12
    assert len(found) == 5
    assert found == pytest.approx({name: expected[name] for name in found}, rel=1e-10)


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--horizon", "0"),
        ("--horizon", "-1"),
        ("--horizon", "nan"),
        ("--horizon", "inf"),
        ("--seed", "-1"),
        ("--spectrum", "inf"),
    ],
)
def test_the_step_refuses_what_it_could_not_simulate(flag, value, tmp_path, capsys):
    system = "--classes 3 --examples-per-class 4 --features 3 --spectrum 0.5 1.5 --horizon 10 --seed 0"
    given = f"{system} --output {tmp_path}/three.csv {flag}={value}"  # the last of a flag counts
    with pytest.raises(SystemExit):
        main(["simulate-central-path", *given.split()])
    assert f"error: argument {flag}: {float(value) if flag != '--seed' else value} is not" in capsys.readouterr().err
