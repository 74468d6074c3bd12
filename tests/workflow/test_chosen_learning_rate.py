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
    ends = [pd.read_csv(path).iloc[-1] for path in (sweep / "round1/digits-vgg11-ce").glob("*.csv")]
    last = {row.learning_rate: row for row in ends}
    assert sorted(last) == [0.001, pytest.approx(10**4.5), 1e12]
    assert last[1e12].diverged
    choice = json.loads((sweep / "digits-vgg11-ce.json").read_text())
    (best,) = choice["learning_rates"]
    assert 1 - last[best].test_error == max(1 - row.test_error for row in last.values() if not row.diverged)
    table = pd.read_csv(sweep / "choices.csv").set_index("learning_rate")
    assert table.index[table.kept].tolist() == [best] and table.diverged[1e12] and (table.epochs == 2).all()
    history = pd.read_csv(study.path / "results/tiny/checkpoints/digits-vgg11-ce-seed0/history.csv")
    assert history.learning_rate.iloc[0] in (best, pytest.approx(best / 10))
    assert study.plan() == {}


def test_halving_goes_on_where_it_was_and_is_stale_exactly_where_it_must_be(study):
    study.edit(
        "config.yaml", "digits-vgg11-ce: {learning_rate: 0.02}", "digits-vgg11-ce: {learning_rate: sweep, epochs: 9}"
    )
    halving = "sweep: {method: halving, lowest: 0.001, highest: 1.0e+12, count: 6}"
    study.edit("config.yaml", "    attack:", f"    {halving}\n    attack:")
    sweep, table = study.path / "results/tiny/sweep", "results/tiny/sweep/choices.csv"
    study.run("snakemake", "--cores", "2", "--keep-going", "results/tiny/sweep/round1/digits-vgg11-ce.json")
    kept = json.loads((sweep / "round1/digits-vgg11-ce.json").read_text())["learning_rates"]
    assert 1 <= len(kept) <= 2 and 1e12 not in kept
    assert study.plan(table) == {"try_learning_rate": 2, "choose_learning_rate": 1, "collect_sweep": 1}

    study.run("snakemake", "--cores", "2", table)
    assert study.plan(table) == {}
    choices = pd.read_csv(study.path / table)
    assert choices.groupby("round").epochs.agg(["first", "count"]).values.tolist() == [[1, 6], [3, len(kept)]]
    assert choices.learning_rate[(choices["round"] == 1) & choices.kept].tolist() == kept
    assert choices.kept[choices["round"] == 2].sum() == 1

    config = (study.path / "config.yaml").read_text()
    study.edit("config.yaml", "digits-vgg11-mse: {}", "digits-vgg11-mse: {learning_rate: 0.05}")
    assert study.plan(table) == {}
    study.edit(
        "config.yaml",
        "digits-vgg11-ce: {learning_rate: sweep, epochs: 9}",
        "digits-vgg11-ce: {learning_rate: sweep, epochs: 10}",
    )
    assert study.plan(table) == {}, "a ninth and a third of 10 epochs are those of 9"
    study.edit("config.yaml", "epochs: 10}", "epochs: 12}")
    assert study.plan(table) == {"try_learning_rate": 2, "choose_learning_rate": 1, "collect_sweep": 1}
    (study.path / "config.yaml").write_text(config)
    study.edit("config.yaml", "method: halving", "method: full")
    assert study.plan(table) == {"try_learning_rate": 6, "choose_learning_rate": 1, "collect_sweep": 1}
    (study.path / "config.yaml").write_text(config)
    (sweep / "round1/digits-vgg11-ce/05.csv").unlink()
    assert study.plan(table) == {}, "what made it is recorded, as after a clone"
    choice = sweep / "round1/digits-vgg11-ce.json"
    choice.write_text(choice.read_text().replace("learning_rates", "rates"))
    assert study.plan(table)["choose_learning_rate"] >= 1
