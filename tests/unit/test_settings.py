"""The table of runs, and the figure of what was measured at the last epoch against what was set."""

import json

import numpy as np
import pandas as pd
import pytest
from synthetic import synthetic_run

from neural_collapse.config.names import name_of_settings, pair_name, parts_of_pair
from neural_collapse.errors import InputError
from neural_collapse.figures import figure_07, figure_codes, figure_settings
from neural_collapse.figures.claims import claims_table
from neural_collapse.figures.table_1 import accuracy_table, to_markdown
from neural_collapse.metrics.settings import read_runs, varied, varied_beside, write_runs
from neural_collapse.metrics.tables import runs
from neural_collapse.storage import write_csv

KEY = ("dataset", "network", "loss", "variant", "seed")


def study(decays=(0.0005, 0.005, 0.05), norms=(True,), seeds=(0, 1), losses=("mse", "ce")):
    """A row of settings a run, and the table of their measures."""
    rows, tables = [], []
    for decay in decays:
        for norm in norms:
            for loss in losses:
                variant = name_of_settings({"weight_decay": decay, "network.batch_norm": norm})
                for seed in seeds:
                    key = dict(zip(KEY, ("digits", "vgg11", loss, variant, seed), strict=True))
                    rows.append(key | {"weight_decay": decay, "drops": [3, 6], "network.batch_norm": norm})
                    tables.append(synthetic_run("digits", "vgg11", loss, seed, variant=variant, noise=0.1 * decay))
    return rows, pd.concat(tables)


def lines_of(axes):
    return {tuple(line.get_xdata()): line.get_ydata() for line in axes.lines}


def test_names_can_be_taken_apart():
    name = name_of_settings({"weight_decay": 1e-05, "network.batch_norm": False, "dataset.left_out_classes": [0, 3]})
    assert name == "weight_decay_0.00001_batch_norm_false_left_out_classes_0_3"
    for variant in ("plain", name):
        parts = ("digits", "vgg11", "mse", variant)
        assert parts_of_pair(pair_name(*parts)) == parts


def test_the_table_of_runs_keeps_numbers_and_takes_the_chosen_learning_rate(tmp_path):
    rows = [
        dict(zip(KEY, ("digits", "vgg11", loss, variant, 0), strict=True))
        | {"learning_rate": rate, "learning_rate_drops": [3, 6], **more}
        for loss, variant, rate, more in [
            ("mse", "plain", 0.1, {"network.width": 0.5}),
            ("ce", "plain", "sweep", {}),
            ("ce", "x", "sweep", {}),
        ]
    ]
    chosen = pd.DataFrame(
        [
            ("digits", "vgg11", "ce", "x", 1, 0.4, True),
            ("digits", "vgg11", "ce", "x", 2, 0.3, True),
            ("digits", "vgg11", "ce", "x", 2, 0.4, False),
            ("digits", "vgg11", "ce", "plain", 2, 0.2, True),
        ],
        columns=[*KEY[:-1], "round", "learning_rate", "kept"],
    )
    write_runs(tmp_path / "runs.csv", rows, chosen)
    table = read_runs(tmp_path / "runs.csv")
    assert list(table.columns[:5]) == list(KEY)
    assert table.learning_rate.astype(float).tolist() == [0.1, 0.2, 0.3]
    assert table.learning_rate_drops.tolist() == ["3 6"] * 3
    assert table["network.width"].isna().tolist() == [False, True, True]


@pytest.mark.parametrize("text", ["", "dataset,network\na,b\n", "dataset,network,loss,variant,seed\n"])
def test_what_is_no_table_of_runs_is_one_sentence(text, tmp_path):
    (tmp_path / "runs.csv").write_text(text)
    with pytest.raises(InputError, match=r"runs\.csv") as error:
        read_runs(tmp_path / "runs.csv")
    assert "\n" not in str(error.value)


def test_a_line_is_the_trainings_that_differ_in_one_setting_alone(tmp_path):
    rows, table = study(norms=(True, False))
    write_runs(tmp_path / "runs.csv", rows)
    settings = read_runs(tmp_path / "runs.csv")
    assert varied(settings) == ["weight_decay", "network.batch_norm"]
    assert varied_beside(settings, "weight_decay") == ["network.batch_norm"]
    figure = figure_settings.draw((table, settings))
    (block,) = figure.subfigs  # batch norm is no number
    nc1 = block.axes[0]
    assert [line.get_xdata().tolist() for line in nc1.lines] == [[0.0005, 0.005, 0.05]] * 4
    last = table[(table.measure == "nc1") & (table.split == "train") & (table.epoch == 100)]
    expected = last[last.variant.str.contains("false") & (last.loss == "mse")].groupby("variant").value.median()
    drawn = [line.get_ydata() for line in nc1.lines]
    assert any(sorted(ys) == pytest.approx(sorted(expected)) for ys in drawn)
    (legend,) = block.legends
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == ["MSE, batch norm true", "MSE, batch norm false", "CE, batch norm true", "CE, batch norm false"]


def test_few_features_are_drawn_beside_the_best_code_of_so_many_classes(tmp_path):
    rows, table = study(decays=(2, 4, 9), losses=("mse",))
    for row in rows:
        row["network.bottleneck"] = row["weight_decay"]
    write_runs(tmp_path / "runs.csv", rows)
    (tmp_path / "digits.json").write_text(json.dumps({"classes": ["0", "1", "2", "3", "4"]}))
    write_csv(tmp_path / "table.csv", table.assign(measure=table.measure.replace("nc1", "one_vs_rest_means")))
    paths = [tmp_path / name for name in ("table.csv", "runs.csv", "digits.json")]
    (block,) = figure_codes.draw(figure_codes.read(paths)).subfigs
    (axes,) = block.axes
    measured, best = sorted(axes.lines, key=lambda line: len(line.get_xdata()))
    assert measured.get_xdata().tolist() == [2, 4, 9]
    pentagon = 1 - np.cos(2 * np.pi / 5)
    assert dict(zip(*best.get_data(), strict=True)) == pytest.approx(
        {2: pentagon, 3: 1, **dict.fromkeys(range(4, 10), 1.25)}
    )
    (tmp_path / "other.json").write_text(json.dumps({"classes": ["0"]}))
    (block,) = figure_codes.draw(figure_codes.read([*paths, tmp_path / "other.json"])).subfigs
    assert len(block.axes[0].lines) == 1  # no code is the best of several numbers of classes


def test_named_settings_are_points_and_losses_stand_for_them_where_nothing_else_varies(tmp_path):
    rows, table = study(decays=(0.01,), norms=(True, False), losses=("mse",))
    write_runs(tmp_path / "runs.csv", rows)
    (block,) = figure_settings.draw((table, read_runs(tmp_path / "runs.csv"))).subfigs
    block.figure.draw_without_rendering()
    assert [label.get_text() for label in block.axes[0].get_xticklabels()] == ["True", "False"]
    rows, table = study(decays=(0.01,), losses=("mse", "ce"))
    write_runs(tmp_path / "runs.csv", rows)
    (block,) = figure_settings.draw((table, read_runs(tmp_path / "runs.csv"))).subfigs
    block.figure.draw_without_rendering()
    assert {label.get_text() for label in block.axes[0].get_xticklabels()} == {"MSE", "CE"}
    with pytest.raises(InputError, match="nothing to draw"):
        figure_settings.draw((table[table.measure == "ncc_mismatch"], read_runs(tmp_path / "runs.csv")))


def test_variants_never_share_a_panel_a_claim_or_a_row(tmp_path):
    _, table = study(seeds=(0,))
    figure = figure_07.draw(table)
    titles = [" ".join(axes.get_title().split()) for axes in figure.axes if axes.get_visible()]
    for decay in (0.0005, 0.005, 0.05):
        assert sum(f"weight decay {decay} batch norm true" in title for title in titles) == 2, titles  # MSE, CE
    assert [len(axes.lines) for axes in figure.axes if axes.get_visible()] == [2] * 6  # a curve, and that of zero error
    claims = claims_table(table)
    scopes = claims[claims.claim == "mse-collapses-faster"].scope
    assert list(scopes) == [f"digits-vgg-weight_decay_{decay}_batch_norm_true" for decay in (0.0005, 0.005, 0.05)]
    assert (claims[claims.claim == "variability-collapse"].runs == 1).all()
    accuracies = accuracy_table(table)
    assert accuracies.variant.nunique() == len(accuracies) == 3
    assert "variant" in to_markdown(accuracies)
    assert "variant" not in to_markdown(accuracy_table(synthetic_run()))


def test_variants_come_by_their_numbers():
    table = pd.concat([synthetic_run(variant=variant) for variant in ("width_10", "width_9", "plain", "width_0.5")])
    assert [run.variant for run, _ in runs(table)] == ["plain", "width_0.5", "width_9", "width_10"]


def test_a_claim_about_a_setting_is_judged_among_trainings_that_differ_in_it_alone(tmp_path):
    """Made-up runs whose NC1 falls with weight decay in networks with batch norm, and rises in those without."""
    rows, table = study(decays=(0.001, 0.01, 0.1), norms=(True, False), losses=("mse",))
    decay = table.variant.str.extract(r"decay_([0-9.]+)_")[0].astype(float)
    table["value"] *= decay.where(table.variant.str.contains("false"), 1 / decay)
    write_runs(tmp_path / "runs.csv", rows)
    claims = claims_table(table, settings=read_runs(tmp_path / "runs.csv"))
    found = claims[claims.claim == "decay-collapses-features"].set_index("scope")
    assert found.measured.to_dict() == {
        "digits-vgg11-mse, batch norm true": pytest.approx(-1),
        "digits-vgg11-mse, batch norm false": pytest.approx(1),
    }
    assert found.verdict.tolist() == ["holds", "fails"]
    assert (found.runs == 6).all()
    few = claims_table(table[table.seed == 0], settings=read_runs(tmp_path / "runs.csv"))
    assert (few[few.claim == "decay-collapses-features"].runs == 3).all()
    assert "decay-collapses-features" not in set(claims_table(table).claim)


def test_no_claim_is_about_a_setting_that_is_not_varied_enough(tmp_path):
    rows, table = study(decays=(0.001, 0.01), losses=("mse",))
    write_runs(tmp_path / "runs.csv", rows)
    claims = claims_table(table, settings=read_runs(tmp_path / "runs.csv"))
    assert claims[claims.claim == "decay-collapses-features"].verdict.tolist() == ["undecided"]
    write_runs(tmp_path / "runs.csv", rows[:2])
    claims = claims_table(table, settings=read_runs(tmp_path / "runs.csv"))
    assert "decay-collapses-features" not in set(claims.claim)
