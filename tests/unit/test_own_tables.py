"""Tables of anyone's making: what is drawn of them, and what is said of what can't be."""

import pandas as pd
import pytest
from synthetic import synthetic_run

from neural_collapse.__main__ import main
from neural_collapse.config.names import UNKNOWN
from neural_collapse.errors import InputError
from neural_collapse.figures import all as figures
from neural_collapse.figures import figure_02, figure_03, figure_07, figure_08
from neural_collapse.metrics.tables import read_own_tables, tidy

pytestmark = pytest.mark.filterwarnings("error")


def shown(figure):
    figure.draw_without_rendering()
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_networks_that_were_measured_once_stand_side_by_side():
    runs = [synthetic_run("mine", name, UNKNOWN, epochs=1, seed=seed) for name in ("b", "a", "c") for seed in (0, 1)]
    table = pd.concat(runs)
    table = table[~((table.network == "c") & (table.measure == "nc1"))]
    figure = figure_07.draw(table)
    [axes] = figure.axes
    assert shown(figure) == ["within-class variation"] and figure._supxlabel is None
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "b"]  # c has no such value
    medians = table[(table.measure == "nc1") & (table.split == "train")].groupby("network").value.median()
    assert axes.lines[0].get_ydata().tolist() == medians.tolist()


def test_one_epoch_of_one_network_is_one_point():
    figure = figure_03.draw(synthetic_run(UNKNOWN, "net", UNKNOWN, epochs=1))
    assert [axes.get_title() for axes in figure.axes] == [""]
    assert [len(line.get_xdata()) for line in figure.axes[0].lines] == [1, 1]


def test_few_epochs_have_whole_numbers_on_their_axis():
    [axes] = (figure := figure_07.draw(synthetic_run(epochs=3, count=3))).axes
    figure.draw_without_rendering()
    ticks = [tick for tick in axes.get_xticks() if 0 <= tick <= 3]
    assert ticks == [0, 1, 2, 3]


def test_test_data_alone_are_drawn_and_named():
    table = synthetic_run(count=4)
    figure = figure_07.draw(table[table.split == "test"])
    assert figure._supylabel.get_text().endswith(", test data") and len(figure.axes[0].lines) == 1
    assert len(figure_08.draw(table[table.split == "test"]).axes[0].lines) == 1  # not once as train and once as test


def test_no_legend_names_what_no_panel_shows():
    table = synthetic_run(count=4)
    table.loc[table.measure == "loss_nc23", "value"] = 0.0
    labels = shown(figure_02.draw(table))
    assert not any("NC2/3" in label for label in labels) and len(labels) == 5
    table.loc[table.measure == "nc1", "value"] = float("nan")
    with pytest.raises(InputError, match="no nc1 above 0 on train data of a run: nothing to draw"):
        figure_07.draw(table)


def test_a_panel_without_a_value_says_so():
    first, second = synthetic_run(network="vgg11", count=3), synthetic_run(network="resnet18", count=3)
    second.loc[second.measure == "nc1", "value"] = 0.0
    figure = figure_07.draw(pd.concat([first, second]))
    assert [[text.get_text() for text in axes.texts] for axes in figure.axes] == [[], ["no value"]]


def test_a_wide_table_is_one_of_measures(tmp_path):
    pd.DataFrame({"epoch": [1, 2], "nc1": [3.0, 0.5], "test_nc1": [4.0, None], "note": ["a", "b"]}).to_csv(
        tmp_path / "mine.csv", index=False
    )
    table = read_own_tables([tmp_path / "mine.csv"])
    found = {(row.epoch, row.split, row.measure): row.value for row in table.itertuples()}
    assert found == {(1, "train", "nc1"): 3.0, (2, "train", "nc1"): 0.5, (1, "test", "nc1"): 4.0}
    assert set(table.network) == {UNKNOWN} and set(table.seed) == {0}


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"epoch": [0.5], "nc1": [1.0]}, "epoch must be a whole number"),
        ({"epoch": [1], "note": ["a"]}, "there are no measures"),
        ({"measure": ["nc1"], "value": ["much"]}, "the column value holds what is no number"),
        ({"measure": ["nc1"], "value": [1.0], "split": ["dev"]}, "split must be train or test, found dev"),
        ({"network": [None], "nc1": [1.0]}, "a row lacks its dataset, network, loss, variant or measure"),
    ],
)
def test_a_table_that_is_none_is_one_sentence(columns, sentence):
    with pytest.raises(InputError, match=sentence):
        tidy(pd.DataFrame(columns))


def test_the_command_draws_what_there_is_and_says_what_is_left_out(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(figures, "known_figures", lambda: ["figure-02", "figure-07", "figure-09"])
    table = synthetic_run("mine", "net", UNKNOWN, count=4)
    table[~table.measure.str.startswith("robustness")].to_csv(tmp_path / "mine.csv", index=False)
    assert main(["figures", str(tmp_path / "mine.csv"), "--output", str(tmp_path / "out")]) == 0
    said = capsys.readouterr()
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"figure-07.pdf", "figure-07.png", "claims.csv"}
    assert "left out figure-02: shows runs with loss mse, and the table has none; where it is mse" in said.err
    assert "left out table-1: " in said.err and "left out figure-09: the tables hold no robustness" in said.err
    assert main(["figures", str(tmp_path / "mine.csv"), "--figure", "figure-99"]) == 1
    assert "no figure of a table named 'figure-99'" in capsys.readouterr().err
