"""The committed results of the quick study show neural collapse, in all its parts and for every run."""

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, as_committed

from neural_collapse.config.checks import read_config
from neural_collapse.config.runs import load_study
from neural_collapse.metrics.tables import read_tables

RESULTS = ROOT / "results" / "quick"
STUDY = {run.name: run for run in load_study(read_config(ROOT / "config.yaml"), "quick").runs}
RUNS = list(STUDY)
MSE_RUNS = [name for name, run in STUDY.items() if run.loss == "mse"]
PAPERS_WEIGHT_DECAY = 5e-4


def read(run):
    """The rows of one run on train data, an epoch a row and a measure a column."""
    table = pd.read_csv(as_committed(f"results/quick/metrics/{run}.csv"))
    return table[table.split == "train"].pivot(index="epoch", columns="measure", values="value")


@pytest.mark.parametrize("run", RUNS)
def test_every_run_ends_collapsed(run):
    epochs = read(run)
    first, last = epochs.iloc[0], epochs.iloc[-1]
    assert last.error <= 0.001 and last.ncc_mismatch == 0
    assert first.nc1 / last.nc1 >= (500 if run in MSE_RUNS else 30)
    assert max(last.max_angle_means, last.max_angle_classifier) < 0.1
    if STUDY[run].settings["weight_decay"] > PAPERS_WEIGHT_DECAY:
        assert last.self_duality < 0.1
        assert run not in MSE_RUNS or last.loss_perp / last.loss < 0.05


@pytest.mark.parametrize("run", RUNS)
def test_the_terminal_phase_is_measured(run):
    """Ten measured epochs from the one with zero error on, which is known to two epochs."""
    epochs = read(run)
    reached = next(place for place, error in enumerate(epochs.error) if error <= 0.001)
    assert len(epochs) - reached >= 10
    assert epochs.index[reached] - epochs.index[reached - 1] <= 2


def test_losses_are_compared_at_one_weight_decay_and_over_seeds():
    decays, seeds = {}, {}
    for run in STUDY.values():
        decays.setdefault(run.network, set()).add(run.settings["weight_decay"])
        seeds.setdefault((run.network, run.loss), set()).add(run.seed)
    assert {len(found) for found in decays.values()} == {1}
    assert PAPERS_WEIGHT_DECAY in set().union(*decays.values())
    assert sum(len(found) >= 3 for found in seeds.values()) >= 4


@pytest.mark.parametrize("variant", ["", "__half_wd"])
@pytest.mark.parametrize("run", MSE_RUNS)
def test_the_loss_is_the_sum_of_its_terms_at_every_epoch(run, variant):
    epochs = read(run)
    terms = sum(epochs[f"{term}{variant}"] for term in ("loss_nc1", "loss_nc23", "loss_perp"))
    np.testing.assert_allclose(terms, epochs[f"loss{variant}"], rtol=1e-10)


def test_the_table_of_all_runs_is_read_as_those_of_each():
    """Though networks are attacked at fewer epochs than they are measured."""
    parts = [RESULTS / layer / f"{run}.csv" for layer in ("metrics", "robustness") for run in RUNS]
    pd.testing.assert_frame_equal(read_tables([RESULTS / "metrics.csv"]), read_tables(parts))
