import numpy as np
import pandas as pd
import pytest
from scipy import stats
from synthetic import synthetic_run

from neural_collapse.__main__ import main
from neural_collapse.figures.claims import COLUMNS, claims_table
from neural_collapse.storage import write_csv


@pytest.fixture
def study():
    """A study of which every claim holds: MSE and CE, three data sets of rising difficulty."""
    tables = []
    for difficulty, dataset in enumerate(("mnist", "fashionmnist", "svhn"), start=1):
        for loss in ("mse", "ce"):
            table = synthetic_run(dataset, "vgg11", loss, epochs=350)
            table.loc[(table.split == "test") & table.measure.isin(["error", "nc1"]), "value"] *= difficulty**3
            tables.append(table)
    return pd.concat(tables)


def judged(table, **options):
    return claims_table(table, **options).set_index(["claim", "scope"]).sort_index()


def of(table, measure, split="train", loss="mse"):
    return (table.measure == measure) & (table.split == split) & (table.loss == loss)


TEST_IMAGES = dict.fromkeys(("mnist", "fashionmnist", "svhn"), 10_000)


def test_a_study_that_collapses_as_the_papers_say_fulfils_every_claim(study):
    claims = claims_table(study, test_images=TEST_IMAGES)
    assert claims[claims.verdict != "holds"].empty
    trainings = {f"{name}-vgg11-{loss}" for name in study.dataset for loss in ("mse", "ce")}
    pairs = {f"{name}-vgg" for name in study.dataset}
    assert set(claims.scope) == trainings | pairs | {"study"}


@pytest.mark.parametrize(
    ("claim", "measure", "split", "factor"),
    [
        ("loss-is-sum", "loss", "train", 1 + 1e-9),
        ("regularised-law", "law_residual", "train", 1e4),
        ("near-least-squares-early", "loss_perp", "train", 1e4),
        ("deviation-negligible", "loss_perp", "train", 1e4),
        ("deviation-below-variability", "loss_nc1_within", "train", 1e-4),
        ("nc1-dominates-loss", "loss_nc1", "train", 1e-4),
        ("nc23-falls-fastest", "loss_nc23", "train", 1e6),
        ("spectrum-equalises", "snr_regularised_ratio", "train", 0.1),
        ("variability-collapse", "nc1", "train", 1e9),
        ("equinorm-classifiers", "equinorm_classifier", "train", 1e6),
        ("self-duality", "self_duality", "train", 1e6),
        ("robustness-improves", "robustness__minimum", "test", 1e-3),
        ("accuracy-improves", "error", "test", 2),
        ("test-collapses-less", "nc1", "test", 1e-12),
        ("test-collapses-slower", "nc1", "test", 1e-12),
    ],
)
def test_a_claim_fails_where_the_end_of_training_says_otherwise(study, claim, measure, split, factor):
    study.loc[of(study, measure, split) & (study.epoch > 100), "value"] *= factor
    claims = judged(study, test_images=TEST_IMAGES)
    assert claims.verdict[claim, "mnist-vgg11-mse"] == "fails"
    assert claims.verdict.get((claim, "mnist-vgg11-ce"), "holds") == "holds"  # CE runs were left alone


@pytest.mark.parametrize(
    ("ratios", "verdict"),
    [
        ([0.8], "holds"),
        ([0.997], "undecided"),  # less than epochs differ among each other
        ([1.01], "undecided"),
        ([1.2], "fails"),
        ([0.8, 0.7, 0.85], "holds"),
        ([0.5, 0.5, 1.2], "undecided"),  # seeds disagree
        ([1.2, 1.3, 1.15], "fails"),
        ([0.5, 0.5, None], "undecided"),  # one never reached zero error
    ],
)
def test_a_verdict_needs_the_seeds_to_agree_and_to_clear_the_margin(ratios, verdict):
    tables = []
    for seed, ratio in enumerate(ratios):
        table = synthetic_run(seed=seed, zero_error=30.0 if ratio else 1e9)
        table.loc[of(table, "nc1"), "value"] = np.where(table[of(table, "nc1")].epoch == 100, ratio or 0.5, 1.0)
        tables.append(table)
    row = judged(pd.concat(tables)).loc["variability-collapse", "digits-vgg11-mse"]
    assert (row.verdict, row.runs) == (verdict, len(ratios))
    if None not in ratios:
        assert (row.measured, row.least, row.greatest) == (np.median(ratios), min(ratios), max(ratios))


@pytest.mark.parametrize(
    ("wrong", "verdict"), [((20, 19), "undecided"), ((20, 5), "holds"), ((5, 20), "fails"), ((0, 0), "undecided")]
)
def test_a_gain_in_test_accuracy_is_held_against_chance(wrong, verdict):
    table = synthetic_run()
    table.loc[of(table, "error", "test"), "value"] = wrong[0] / 400
    table.loc[of(table, "error", "test") & (table.epoch == 100), "value"] = wrong[1] / 400
    row = judged(table, test_images={"digits": 400}).loc["accuracy-improves", "digits-vgg11-mse"]
    assert row.verdict == verdict
    assert row.measured == (wrong[0] - wrong[1]) / 4
    if sum(wrong):
        share = stats.binomtest(wrong[0], sum(wrong)).proportion_ci(0.95, "exact")
        interval = [100 * sum(wrong) / 400 * (2 * end - 1) for end in share]
        np.testing.assert_allclose([row.least, row.greatest], interval, rtol=1e-5)
    assert judged(table).verdict["accuracy-improves", "digits-vgg11-mse"] == "undecided"  # of how many images?


def test_a_broken_identity_at_one_epoch_of_the_other_lambda_is_found(study):
    halves = study[study.measure.isin(["loss", "loss_nc1", "loss_nc23", "loss_perp"]) & (study.loss == "mse")].copy()
    halves["measure"] += "__half_wd"
    halves.loc[(halves.measure == "loss_nc1__half_wd") & (halves.epoch == 1), "value"] += 1e-6
    row = judged(pd.concat([study, halves])).loc["loss-is-sum", "mnist-vgg11-mse"]
    assert 1e-8 < row.measured < 1e-4 and row.verdict == "fails"


def test_mse_is_held_against_ce_by_the_medians_of_their_last_values():
    table = pd.concat([synthetic_run(loss=loss, seed=seed, noise=0.5) for loss in ("mse", "ce") for seed in range(3)])
    last = table[(table.epoch == 100) & (table.measure == "nc1") & (table.split == "train")]
    mse, ce = (last[last.loss == loss].value for loss in ("mse", "ce"))
    row = judged(table).loc["mse-collapses-faster", "digits-vgg"]
    expected = [mse.median() / ce.median(), mse.min() / ce.max(), mse.max() / ce.min()]
    np.testing.assert_allclose([row.measured, row.least, row.greatest], expected, rtol=1e-5)


def test_improvements_are_the_median_and_mean_over_the_trainings(study):
    claims = claims_table(study, test_images=TEST_IMAGES)
    gains = claims[(claims.claim == "accuracy-improves") & claims.scope.str.contains("-mse")].measured
    rows = claims[(claims.scope == "study") & claims.claim.str.fullmatch("accuracy-.*-mse")]
    assert rows.paper.tolist() == ["0.962", "1.833"]
    np.testing.assert_allclose(rows.measured, [gains.median(), gains.mean()], rtol=1e-5)
    assert (rows.least >= gains.min() - 1e-5).all() and (rows.greatest <= gains.max() + 1e-5).all()


def test_what_was_never_reached_or_measured_leaves_a_claim_undecided():
    never = judged(synthetic_run(zero_error=1e9))
    table = synthetic_run()
    unmeasured = judged(table[~table.measure.isin(["robustness__minimum", "law_residual"])])
    found = (never, "variability-collapse"), (unmeasured, "robustness-improves"), (unmeasured, "regularised-law")
    for claims, claim in found:
        row = claims.loc[claim, "digits-vgg11-mse"]
        assert np.isnan(row.measured) and row.verdict == "undecided"


def test_the_step_writes_the_theory_beside_the_runs_and_a_header_where_there_is_nothing(tmp_path):
    write_csv(tmp_path / "metrics.csv", synthetic_run(loss="scaled_mse"))
    write_csv(tmp_path / "none.csv", synthetic_run().head(0))
    checks = {"check": ["lemma-7", "equation-7"], "statement": ["a", "b"], "value": [1e-13, 2.0], "bound": [1e-12, 1.0]}
    checks["source"] = ["HPD", "another"]
    write_csv(tmp_path / "checks.csv", pd.DataFrame(checks))
    (tmp_path / "digits.json").write_text('{"name": "digits", "test_per_class": [40, 40]}')
    beside = ["--checks", str(tmp_path / "checks.csv"), "--cards", str(tmp_path / "digits.json")]
    for name, options in (("metrics", beside), ("none", [])):
        output = ["--output", str(tmp_path / "claims.csv")]
        assert main(["claims", "--tables", str(tmp_path / f"{name}.csv"), *options, *output]) == 0
        claims = pd.read_csv(tmp_path / "claims.csv")
        assert list(claims) == COLUMNS
        theory = claims[claims.scope == "theory"]
        assert dict(zip(theory.claim, theory.verdict, strict=True)) == (
            {"lemma-7": "holds", "equation-7": "fails"} if options else {}
        )
        assert theory.source.tolist() == (checks["source"] if options else [])
        assert ("digits-vgg11-scaled_mse" in set(claims.scope)) == bool(options)
