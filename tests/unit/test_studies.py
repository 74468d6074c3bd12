"""The committed results are whole, and say what README and docs/studies.md say of them."""

import functools
import re
from decimal import Decimal

import pandas as pd
import pytest
from conftest import ROOT, as_committed

from neural_collapse.config.checks import read_config
from neural_collapse.config.runs import load_study, settings_of_runs
from neural_collapse.metrics.runs import RunKey
from neural_collapse.metrics.settings import read_runs

CONFIG = read_config(ROOT / "config.yaml")
STUDIES = ["weight_decay", "imbalance", "bottleneck", "losses", "layers", "out_of_distribution"]


@functools.cache
def measured(study, which="max"):
    """A row a run: what was set for it, and each measure at its last ("min": first) epoch, such as `test_error`."""
    results = ROOT / "results" / study
    table = pd.read_csv(as_committed("results/quick/metrics.csv") if study == "quick" else results / "metrics.csv")
    chosen = table[table.epoch == table.groupby(list(RunKey._fields)).epoch.transform(which)]
    wide = chosen.set_index([*RunKey._fields, "split", "measure"]).value.unstack(["split", "measure"])
    wide.columns = ["_".join(column) for column in wide]  # such as train_nc1
    return read_runs(results / "runs.csv").merge(wide.reset_index(), on=list(RunKey._fields))


def test_mnist_and_fashionmnist_collapse():
    """All runs of the benchmark study, at their last epoch, against their first."""
    declared = load_study(CONFIG, "benchmark")
    last = measured("benchmark")
    assert set(last[["dataset", "network", "loss", "seed"]].apply(tuple, axis=1)) == {
        (run.dataset, run.network, run.loss, run.seed) for run in declared.runs
    }
    fall = measured("benchmark", "min").train_nc1 / last.train_nc1
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
    found = measured(study)
    keys = ["dataset", "network", "loss", "variant", "seed"]
    expected = pd.DataFrame(settings_of_runs(declared)).set_index(keys)
    assert set(found[keys].apply(tuple, axis=1)) == set(expected.index)
    assert (found.groupby(["network", "loss", "variant"]).seed.nunique() == 3).all()
    found = found.set_index(keys)
    assert found.weight_decay.equals(expected.weight_decay.reindex(found.index))
    for figure in declared.figures:
        assert (ROOT / "results" / study / "figures" / f"{figure}.png").is_file()
    page = (ROOT / "docs/studies.md").read_text()
    assert f"## `{study}`" in page and f"results/{study}/figures/" in page


def test_the_table_of_the_readme_is_the_last_epoch():
    """Each number to the digits it is given with."""
    rows = re.findall(r"^\| ((?:MNIST|FashionMNIST|digits), .*) \|$", (ROOT / "README.md").read_text(), re.M)
    pairs, wrong = [], []
    for row in rows:
        run, *shown = re.split(r" \| | → | / ", row)
        pairs.append(pair := tuple(run.lower().split(", ")[:3]))
        study = "quick" if pair[0] == "digits" else "benchmark"
        first, last = (
            measured(study, which).set_index(["dataset", "network", "loss"]).loc[[pair]] for which in ("min", "max")
        )
        values_of = {
            "first": first.train_nc1,
            "last": last.train_nc1,
            "self-duality": last.train_self_duality,
            "means": last.train_max_angle_means,
            "classifier": last.train_max_angle_classifier,
            "mismatch": last.train_ncc_mismatch,
            "L_perp/L": 100 * last.train_loss_perp / last.train_loss,
            "distance": 100 * last.train_classifier_distance,
            "accuracy": 100 * (1 - last.test_error),
        }
        assert (last.train_error == 0).all()
        for text, (name, values) in zip(shown, values_of.items(), strict=True):
            if text == "–":
                assert values.isna().all()
                continue
            number = Decimal(text.removesuffix(" %"))
            half = float(Decimal(1).scaleb(number.as_tuple().exponent)) / 2
            if values.median() != pytest.approx(float(number), abs=1.001 * half):
                wrong.append((run, name, text, values.median()))
    assert not wrong
    runs = [run for study in ("benchmark", "quick") for run in load_study(CONFIG, study).runs]
    assert sorted(pairs) == sorted({(run.dataset, run.network, run.loss) for run in runs})
