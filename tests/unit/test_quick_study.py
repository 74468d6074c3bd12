"""The committed results of the quick study show neural collapse, in all its parts and for every run."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

RESULTS = Path(__file__).parents[2] / "results" / "quick"
RUNS = [f"digits-{network}-{loss}-seed0" for network in ("vgg11", "resnet18", "densenet40") for loss in ("mse", "ce")]


MSE_RUNS = [run for run in RUNS if "-mse-" in run]


def read(run):
    """The rows of one run on train data, an epoch a row and a measure a column."""
    table = pd.read_csv(RESULTS / "metrics" / f"{run}.csv")
    return table[table.split == "train"].pivot(index="epoch", columns="measure", values="value")


@pytest.mark.parametrize("run", RUNS)
def test_every_run_ends_collapsed(run):
    epochs = read(run)
    first, last = epochs.iloc[0], epochs.iloc[-1]
    assert last.error == 0 and last.ncc_mismatch == 0
    assert first.nc1 / last.nc1 >= (1000 if run in MSE_RUNS else 100)
    assert max(last.self_duality, last.max_angle_means, last.max_angle_classifier) < 0.1
    if run in MSE_RUNS:
        assert last.loss_perp / last.loss < 0.05


@pytest.mark.parametrize("variant", ["", "__half_wd"])
@pytest.mark.parametrize("run", MSE_RUNS)
def test_the_loss_is_the_sum_of_its_terms_at_every_epoch(run, variant):
    epochs = read(run)
    terms = sum(epochs[f"{term}{variant}"] for term in ("loss_nc1", "loss_nc23", "loss_perp"))
    np.testing.assert_allclose(terms, epochs[f"loss{variant}"], rtol=1e-10)


def test_the_table_of_all_runs_holds_every_row_of_each():
    together = pd.read_csv(RESULTS / "metrics.csv")
    parts = [pd.read_csv(RESULTS / layer / f"{run}.csv") for layer in ("metrics", "robustness") for run in RUNS]
    key = list(together.columns)
    assert len(together) == sum(map(len, parts))
    pd.testing.assert_frame_equal(
        together.sort_values(key, ignore_index=True), pd.concat(parts).sort_values(key, ignore_index=True)
    )
