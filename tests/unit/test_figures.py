import importlib
import sys

import numpy as np
import pandas as pd
import pytest
from synthetic import synthetic_run

from neural_collapse.__main__ import main
from neural_collapse.config.declarations import known_figures, literals
from neural_collapse.config.runs import load_study
from neural_collapse.errors import InputError
from neural_collapse.figures import figure_03, figure_07, figure_08, figure_10
from neural_collapse.figures.style import save
from neural_collapse.storage import write_csv

FIGURES_OF_RUNS = [
    name
    for name in (figure.replace("-", "_") for figure in known_figures())
    if literals(f"figures.{name}")["READS"] in ("metrics", "robustness")
    if name != "figure_snr" and not literals(f"figures.{name}").get("NEEDS_LAYERS")
]
COMPARISONS = ("figure_10", "figure_11", "figure_12")
pytestmark = pytest.mark.filterwarnings("error")


def several(datasets=("digits",), networks=("vgg11", "resnet18", "densenet40"), losses=("mse", "ce"), **options):
    return pd.concat(
        [synthetic_run(data, net, loss, **options) for data in datasets for net in networks for loss in losses]
    )


def panels(figure):
    """The panels by their titles, empty ones included."""
    figure.draw_without_rendering()
    return {axes.get_title(): axes for axes in figure.axes}


REDS = ("#cc0000", "#4d0000", "#ffb3b3")  # the lines of zero error, under the first, the second, the third loss


def red_lines(axes):
    return [line.get_xdata()[0] for line in axes.lines if line.get_color() in REDS]


def curves(axes):
    return [line for line in axes.lines if line.get_color() not in REDS]


@pytest.mark.parametrize("name", FIGURES_OF_RUNS)
def test_every_figure_shows_every_loss_or_the_one_it_needs(name):
    module = importlib.import_module(f"neural_collapse.figures.{name}")
    needed = literals(f"figures.{name}").get("NEEDS")
    table = several(networks=["vgg11"], losses=["scaled_mse", "mse", "ce"], count=5)
    shown = list(panels(module.draw(table)).values())
    if needed:
        assert [len(red_lines(axes)) for axes in shown] == [1]
    elif name in COMPARISONS:
        assert [len(red_lines(axes)) for axes in shown] == [3]
        labels = [text.get_text() for text in shown[0].figure.legends[0].get_texts()]
        assert labels[:3] == ["MSE", "CE", "scaled MSE"]
    else:
        assert [axes.get_title() for axes in shown] == ["digits\nVGG11, MSE", "VGG11, CE", "VGG11, scaled MSE"]
        assert all(len(curves(axes)) == len(module.CURVES) for axes in shown)
    with pytest.raises(InputError, match="nothing to draw"):
        module.draw(table[table.measure == "error"])


OF_OTHER_STUDIES = {"figure-codes", "figure-layers", "figure-out-of-distribution", "figure-settings"}
"""Those of studies that vary a setting, measure inner layers, or look at other data."""


def test_a_loss_that_no_figure_knows_gets_every_figure_but_those_of_the_decomposition():
    config = {"study": "one", "studies": {"one": {"runs": {"digits-vgg11-scaled_mse": {}}}}}
    config["studies"]["one"]["training"] = {
        "loss_options": {"target_weight": 5, "target_value": 10},
        "learning_rate": 0.1,
    }
    missing = {"figure-02", "figure-distance", "figure-equalisation", "figure-snr"}
    assert set(known_figures()) - set(load_study(config).figures) == missing | OF_OTHER_STUDIES


def test_a_study_leaves_out_the_figures_it_names_and_keeps_the_others():
    config = {"study": "one", "studies": {"one": {"runs": {"digits-vgg11-mse": {}}, "leave_out": ["figure-07"]}}}
    config["studies"]["one"]["training"] = {"learning_rate": 0.1}
    assert set(known_figures()) - set(load_study(config).figures) == {"figure-07"} | OF_OTHER_STUDIES


def test_the_grid_has_the_papers_order_and_shrinks_to_what_there_is():
    table = pd.concat([
        several(["fashionmnist", "mnist"], ["densenet40", "vgg11"], ["mse"], count=3),
        several(["mnist"], ["vit_b_16"], ["mse"], count=3),
    ])  # fmt: skip
    titles = [axes.get_title() for axes in figure_07.draw(table).axes]
    assert titles == [
        *("MNIST\nVGG11, MSE", "FashionMNIST\nVGG11, MSE", "DenseNet40, MSE", "DenseNet40, MSE"),
        *("vit_b_16, MSE", ""),
    ]


def test_the_networks_of_one_data_set_stand_side_by_side():
    figure = figure_10.draw(several(count=3))
    assert [axes.get_title() for axes in figure.axes] == ["digits\nVGG11", "digits\nResNet18", "digits\nDenseNet40"]
    assert len({axes.get_position().y0 for axes in figure.axes}) == 1


def test_networks_of_different_depth_share_a_panel_between_losses_but_not_within_one():
    across = pd.concat([synthetic_run("svhn", "vgg13", "mse", count=3), synthetic_run("svhn", "vgg11", "ce", count=3)])
    assert list(panels(figure_10.draw(across))) == ["SVHN\nVGG13 / 11"]
    within = several(networks=["vgg11", "vgg13"], losses=["mse"], count=3)
    assert list(panels(figure_07.draw(within))) == ["digits\nVGG11, MSE", "digits\nVGG13, MSE"]


def test_seeds_give_their_median_and_a_band_from_least_to_greatest():
    table = pd.concat([synthetic_run(seed=seed, zero_error=zero, noise=0.5) for seed, zero in enumerate((20, 40, 50))])
    [axes] = figure_07.draw(table).axes
    values = table[(table.measure == "nc1") & (table.split == "train")].groupby("epoch").value
    np.testing.assert_allclose(curves(axes)[0].get_ydata(), values.median())
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert {band.min(), band.max()} == {values.min().min(), values.max().max()}
    assert red_lines(axes) == [44]  # the measured epochs are 20, 44 and 54


def test_no_line_where_most_seeds_never_reach_zero_error():
    table = pd.concat([synthetic_run(seed=seed, zero_error=zero) for seed, zero in enumerate((20, 1e9, 1e9))])
    figure = figure_07.draw(table)
    assert red_lines(figure.axes[0]) == []
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["within-class variation"]


def test_lines_of_zero_error_on_top_of_each_other_show_both_losses():
    [axes] = figure_10.draw(several(networks=["vgg11"])).axes
    below, above = sorted((line for line in axes.lines if line.get_color() in REDS), key=lambda line: line.get_zorder())
    assert below.get_xdata() == above.get_xdata()
    assert below.get_color() != above.get_color()
    assert (below.get_linestyle(), above.get_linestyle()) == ("-", "--")


@pytest.mark.parametrize(("span", "labels"), [((0.02, 30), ["0.1", "1", "10"]), ((1e-6, 1), ["10^{-4}", "10^{-2}"])])
def test_a_logarithmic_axis_has_plain_numbers_or_powers_of_ten_and_never_both(span, labels):
    table = synthetic_run(count=2, epochs=2)
    table.loc[table.measure == "nc1", "value"] = np.resize(span, 4)
    [axes] = [*panels(figure_07.draw(table)).values()]
    low, high = axes.get_ylim()
    shown = [
        label.get_text()
        for tick, label in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)
        if low <= tick <= high and label.get_text()
    ]
    assert len(shown) == len([label for label in shown if ("10^" in label) == ("10^" in labels[0])])
    assert all(any(label in text for text in shown) for label in labels)


def test_missing_runs_zeros_and_a_single_epoch_are_drawn_without_a_warning(tmp_path):
    table = pd.concat([
        synthetic_run("mnist", "vgg11"),
        synthetic_run("digits", "resnet18", epochs=1),
    ])  # fmt: skip
    table.loc[(table.measure == "nc1") & (table.epoch > 50), "value"] = 0.0
    table.loc[(table.measure == "nc1") & (table.network == "resnet18"), "value"] = 0.0
    for module in (figure_03, figure_08):
        figure = module.draw(table)
        assert [text.get_text() for axes in figure.axes for text in axes.texts] == ["no run", "no run"]
    figure = figure_07.draw(table)
    save(figure, pdf=tmp_path / "a.pdf", png=tmp_path / "a.png")
    assert curves(figure.axes[0])[0].get_xdata().max() <= 50
    assert not curves(figure.axes[3])


def test_the_same_numbers_give_the_same_bytes_with_embedded_outlines(tmp_path):
    write_csv(tmp_path / "metrics.csv", several(networks=["vgg11"], count=5))
    for name in ("first", "second"):
        options = ["--pdf", str(tmp_path / f"{name}.pdf"), "--png", str(tmp_path / f"{name}.png")]
        assert main(["figure", "--figure", "figure-10", "--tables", str(tmp_path / "metrics.csv"), *options]) == 0
    pdf, png = (tmp_path / "first.pdf").read_bytes(), (tmp_path / "first.png").read_bytes()
    assert pdf == (tmp_path / "second.pdf").read_bytes()
    assert png == (tmp_path / "second.png").read_bytes()
    assert b"Date" not in pdf  # else the bytes differ a second later
    assert b"/Type3" not in pdf and b"/FontFile2" in pdf


def test_only_the_chosen_figure_is_imported(tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("neural_collapse.figures.figure_")]:
        monkeypatch.delitem(sys.modules, name)
    write_csv(tmp_path / "metrics.csv", synthetic_run(count=3))
    options = ["--pdf", str(tmp_path / "a.pdf"), "--png", str(tmp_path / "a.png")]
    assert main(["figure", "--figure", "figure-07", "--tables", str(tmp_path / "metrics.csv"), *options]) == 0
    loaded = [name for name in sys.modules if name.startswith("neural_collapse.figures.figure_")]
    assert loaded == ["neural_collapse.figures.figure_07"]


def test_an_unknown_figure_is_named_beside_the_known(tmp_path, capsys):
    options = ["--tables", "a.csv", "--pdf", "a.pdf", "--png", "a.png"]
    assert main(["figure", "--figure", "figure-77", *options]) == 1
    assert "no figure named 'figure-77'; known: figure-02, figure-03" in capsys.readouterr().err
