"""The committed results of all studies but the quick one are whole, and say what docs/studies.md says of them."""

from pathlib import Path

import pandas as pd
import pytest

from neural_collapse.config.checks import read_config
from neural_collapse.config.runs import load_study, settings_of_runs
from neural_collapse.metrics.settings import read_runs
from neural_collapse.metrics.tables import RunKey

ROOT = Path(__file__).parents[2]
CONFIG = read_config(ROOT / "config.yaml")
STUDIES = ["weight_decay", "imbalance", "bottleneck", "losses", "layers", "out_of_distribution"]


def last_epochs(study):
    """A row a run: what was set for it, and each measure at its last epoch, such as `test_error`."""
    results = ROOT / "results" / study
    table = pd.read_csv(results / "metrics.csv")
    last = table[table.epoch == table.groupby(list(RunKey._fields)).epoch.transform("max")]
    wide = last.set_index([*RunKey._fields, "split", "measure"]).value.unstack(["split", "measure"])
    wide.columns = ["_".join(column) for column in wide]  # such as train_nc1
    return read_runs(results / "runs.csv").merge(wide.reset_index(), on=list(RunKey._fields))


def test_mnist_and_fashionmnist_collapse():
    """All runs of the benchmark study, at their last epoch, against their first."""
    declared = load_study(CONFIG, "benchmark")
    last = last_epochs("benchmark")
    assert last[["dataset", "network", "loss", "seed"]].apply(tuple, axis=1).tolist() == [
        (run.dataset, run.network, run.loss, run.seed) for run in declared.runs
    ]
    table = pd.read_csv(ROOT / "results/benchmark/metrics.csv")
    first = table[(table.epoch == 1) & (table.split == "train") & (table.measure == "nc1")]
    last = last.merge(first[["dataset", "network", "loss", "seed", "value"]], on=["dataset", "network", "loss", "seed"])
    fall = last.value / last.train_nc1
    mse = last.loss == "mse"
    assert (last.train_error == 0).all() and (last.train_ncc_mismatch == 0).all()
    assert fall[mse].min() > 1000 and fall[~mse].min() > 40 and fall[~mse & (last.network != "densenet40")].min() > 90
    assert (last.train_loss_perp / last.train_loss)[mse].max() < 0.1
    assert (last.train_loss_perp__batch_statistics / last.train_loss__batch_statistics)[mse].max() < 0.03
    for figure in declared.figures:
        assert (ROOT / "results/benchmark/figures" / f"{figure}.png").is_file()


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_is_whole_and_has_three_seeds(study):
    declared = load_study(CONFIG, study)
    found = last_epochs(study)
    assert [tuple(row) for row in found[["dataset", "network", "loss", "variant", "seed"]].to_numpy()] == [
        (run.dataset, run.network, run.loss, run.variant, run.seed) for run in declared.runs
    ]
    assert (found.groupby(["network", "loss", "variant"]).seed.nunique() == 3).all()
    expected = pd.DataFrame(settings_of_runs(declared))
    assert found.weight_decay.tolist() == expected.weight_decay.tolist()
    for figure in declared.figures:
        assert (ROOT / "results" / study / "figures" / f"{figure}.png").is_file()
    page = (ROOT / "docs/studies.md").read_text()
    assert f"## `{study}`" in page and f"results/{study}/figures/" in page
