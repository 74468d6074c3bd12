import numpy as np
import pandas as pd
import pytest
from synthetic import synthetic_run

from neural_collapse.__main__ import main
from neural_collapse.figures.claims import claims_table
from neural_collapse.storage import write_csv


@pytest.fixture
def study():
    """A study of which every claim holds: MSE and CE, three data sets of rising difficulty."""
    tables = []
    for difficulty, dataset in enumerate(("mnist", "fashionmnist", "svhn"), start=1):
        for loss in ("mse", "ce"):
            table = synthetic_run(dataset, "vgg11", loss, epochs=350)
            table.loc[(table.split == "test") & table.measure.isin(["error", "nc1"]), "value"] *= difficulty
            tables.append(table)
    return pd.concat(tables)


def verdict(claims, claim, scope):
    [row] = claims[claims.claim.str.contains(claim, regex=False) & (claims.scope == scope)].to_dict("records")
    return row


def of(table, measure, split="train", loss="mse"):
    return (table.measure == measure) & (table.split == split) & (table.loss == loss)


def test_a_study_that_collapses_as_the_papers_say_fulfils_every_claim(study):
    claims = claims_table(study)
    assert claims[~claims.holds].empty
    runs = {f"{name}-vgg11-{loss}-seed0" for name in study.dataset for loss in ("mse", "ce")}
    pairs = {f"{name}-vgg" for name in study.dataset}
    assert set(claims.scope) == runs | pairs | {"study"}


@pytest.mark.parametrize(
    ("claim", "measure", "split", "factor"),
    [
        ("The loss is the sum", "loss", "train", 1 + 1e-9),
        ("stays close to least squares", "loss_perp", "train", 1e4),
        ("becomes negligible", "loss_perp", "train", 1e4),
        ("below the within-class variability", "loss_nc1_within", "train", 1e-4),
        ("L_NC1 dominates", "loss_nc1", "train", 1e-4),
        ("L_NC2/3 falls fastest", "loss_nc23", "train", 1e6),
        ("Within-class variability collapses", "nc1", "train", 1e9),
        ("Classifiers become equinorm", "equinorm_classifier", "train", 1e6),
        ("self-dual", "self_duality", "train", 1e6),
        ("makes the network more robust", "robustness", "test", 1e-3),
        ("collapse less on test data", "nc1", "test", 1e-12),
        ("more slowly on test data", "nc1", "test", 1e-12),
    ],
)
def test_a_claim_fails_where_the_end_of_training_says_otherwise(study, claim, measure, split, factor):
    study.loc[of(study, measure, split) & (study.epoch > 100), "value"] *= factor
    claims = claims_table(study)
    assert not verdict(claims, claim, "mnist-vgg11-mse-seed0")["holds"]
    ce = claims[(claims.scope == "mnist-vgg11-ce-seed0") & claims.claim.str.contains(claim, regex=False)]
    assert ce.holds.all()  # CE runs were left alone


def test_a_broken_identity_at_one_epoch_of_the_other_lambda_is_found(study):
    halves = study[study.measure.isin(["loss", "loss_nc1", "loss_nc23", "loss_perp"]) & (study.loss == "mse")].copy()
    halves["measure"] += "__half_wd"
    halves.loc[(halves.measure == "loss_nc1__half_wd") & (halves.epoch == 1), "value"] += 1e-6
    row = verdict(claims_table(pd.concat([study, halves])), "The loss is the sum", "mnist-vgg11-mse-seed0")
    assert 1e-8 < row["measured"] < 1e-4 and not row["holds"]


def test_mse_is_held_against_ce_by_the_medians_of_their_last_values():
    seeds = [synthetic_run(loss=loss, seed=seed, noise=0.5) for loss in ("mse", "ce") for seed in range(3)]
    table = pd.concat(seeds)
    last = table[(table.epoch == 100) & (table.measure == "nc1") & (table.split == "train")]
    expected = last[last.loss == "mse"].value.median() / last[last.loss == "ce"].value.median()
    row = verdict(claims_table(table), "MSE collapses faster", "digits-vgg")
    assert row["measured"] == float(f"{expected:.6g}")


def test_improvements_are_the_median_and_mean_over_the_runs(study):
    claims = claims_table(study)
    gains = claims[claims.claim.str.contains("more robust") & claims.scope.str.contains("-mse-")].measured
    rows = claims[(claims.scope == "study") & (claims.source == "HPD figure 9")]
    assert rows.paper.tolist() == ["0.1762", "0.9278"]
    np.testing.assert_allclose(rows.measured, [gains.median(), gains.mean()], rtol=1e-5)


def test_without_zero_error_claims_about_what_follows_do_not_hold():
    row = verdict(claims_table(synthetic_run(zero_error=1e9)), "Within-class", "digits-vgg11-mse-seed0")
    assert np.isnan(row["measured"]) and not row["holds"]


def test_claims_about_what_was_not_measured_are_left_out(tmp_path):
    table = synthetic_run()
    write_csv(tmp_path / "metrics.csv", table[table.measure != "robustness"])
    assert main(["claims", "--tables", str(tmp_path / "metrics.csv"), "--output", str(tmp_path / "claims.csv")]) == 0
    claims = pd.read_csv(tmp_path / "claims.csv")
    assert not claims.claim.str.contains("robust|CE|harder").any()
    assert claims.holds.all()
