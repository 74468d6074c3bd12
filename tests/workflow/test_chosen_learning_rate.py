"""A learning rate chosen by a sweep: one job a rate, a diverged one is a result, the best one is trained with."""

import json

import pandas as pd
import pytest

pytestmark = pytest.mark.xdist_group("staleness")


def test_a_sweep_with_a_diverging_rate_finishes_names_it_and_trains_with_the_best(study):
    study.edit("config.yaml", "digits-vgg11-ce: {learning_rate: 0.02}", "digits-vgg11-ce: {learning_rate: sweep}")
    study.edit("config.yaml", "    attack:", "    sweep: {lowest: 0.001, highest: 1.0e+12, count: 3}\n    attack:")
    jobs = study.plan()
    assert (jobs["try_learning_rate"], jobs["choose_learning_rate"], jobs["train_network"]) == (3, 1, 1)
    study.run("snakemake", "--cores", "2", "--keep-going")
    sweep = study.path / "results/tiny/sweep"
    last = {float(path.stem): pd.read_csv(path).iloc[-1] for path in (sweep / "digits-vgg11-ce").glob("*.csv")}
    assert sorted(last) == [0.001, pytest.approx(10**4.5), 1e12]
    assert last[1e12].diverged
    choice = json.loads((sweep / "digits-vgg11-ce.json").read_text())
    assert 1e12 in choice["diverged"]
    assert choice["test_accuracy"] == max(1 - row.test_error for row in last.values() if not row.diverged)
    table = pd.read_csv(sweep / "choices.csv")
    assert table.iloc[0].learning_rate == choice["learning_rate"] and "1e+12" in table.iloc[0].diverged
    history = pd.read_csv(study.path / "results/tiny/checkpoints/digits-vgg11-ce-seed0/history.csv")
    assert history.learning_rate.iloc[0] in (choice["learning_rate"], pytest.approx(choice["learning_rate"] / 10))
    assert study.plan() == {}
