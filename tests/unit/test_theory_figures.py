"""The figures of the theory: of simulated systems, and of networks beside the closed form."""

import numpy as np
import pandas as pd
import pytest
from synthetic import synthetic_run

from neural_collapse.__main__ import main
from neural_collapse.errors import InputError
from neural_collapse.figures import (
    figure_central_path,
    figure_distance,
    figure_equalisation,
    figure_laws,
    figure_snr,
    figure_unconstrained_features,
)
from neural_collapse.figures.spectra import with_laws
from neural_collapse.metrics.runs import COLUMNS
from neural_collapse.metrics.tables import curve
from neural_collapse.theory.central_path import closed_form

pytestmark = pytest.mark.filterwarnings("error")


def run_on_the_central_path(law="within", classes=4):
    """A run whose spectrum follows a law from its zero-error epoch on, at a pace that is no gradient flow's."""
    run = synthetic_run(zero_error=30.0)
    epochs = np.sort(run.epoch.unique())
    times = np.maximum(epochs - epochs[epochs >= 30][0], 0) ** 1.7
    spectra = closed_form(times, np.linspace(4, 1, classes - 1), classes=classes, law=law)
    rows = [
        ("digits", "vgg11", "mse", "plain", 0, int(epoch), "train", f"snr_{j}", omega)
        for epoch, spectrum in zip(epochs, spectra, strict=True)
        for j, omega in enumerate(np.sort(spectrum)[::-1], 1)
    ]
    return pd.concat([run, pd.DataFrame(rows, columns=COLUMNS)], ignore_index=True)


@pytest.mark.parametrize("law", ["within", "everything", "nothing"])
def test_a_spectrum_that_follows_a_law_is_recognised_whatever_its_pace(law):
    table = with_laws(run_on_the_central_path(law), ["within", "everything", "nothing"])
    observed = curve(table, "snr_ratio")
    for other in ("within", "everything", "nothing"):
        predicted = curve(table, f"snr_ratio__{other}")
        assert predicted.index[0] == 30
        deviation = (predicted / observed[predicted.index] - 1).abs().max()
        assert deviation < 1e-8 if other == law else deviation > 0.05


def test_the_extremes_stand_beside_the_spectrum():
    table = with_laws(run_on_the_central_path(), ["within"])
    for name in ("snr", "snr__within"):
        values = table[table.measure == name].groupby("epoch").value
        of = name.removeprefix("snr")
        pd.testing.assert_series_equal(curve(table, f"snr_max{of}"), values.max(), check_exact=True)
        pd.testing.assert_series_equal(curve(table, f"snr_min{of}"), values.min(), check_exact=True)


def test_epochs_without_a_whole_spectrum_or_a_time_are_left_out():
    table = run_on_the_central_path()
    epochs = np.sort(table.epoch.unique())
    table.loc[(table.measure == "snr_3") & (table.epoch == epochs[0]), "value"] = 0.0  # Sigma_W sees two directions
    table.loc[table.measure.str.startswith("snr_") & (table.epoch == 54), "value"] *= 0.1  # below the start
    table = with_laws(table, ["within"])
    assert epochs[0] not in curve(table, "snr_ratio")
    assert list(curve(table, "snr_ratio__within").index) == [epoch for epoch in epochs if epoch >= 30 and epoch != 54]


def test_a_run_that_never_reaches_zero_error_has_no_closed_form():
    table = run_on_the_central_path()
    table.loc[table.measure == "error", "value"] = 0.5
    assert "snr_ratio__within" not in set(with_laws(table, ["within"]).measure)
    figure_snr.draw(table)


@pytest.mark.parametrize("module", [figure_snr, figure_equalisation, figure_distance])
def test_the_figures_of_networks_draw_each_curve(module):
    table = run_on_the_central_path()
    regularised = table[table.measure.str.fullmatch(r"snr_\d")].copy()
    regularised["measure"] = regularised.measure.str.replace("snr_", "snr_regularised_")
    [axes] = module.draw(pd.concat([table, regularised])).axes
    assert len(axes.lines) == len(module.CURVES) + 1  # and the red line


@pytest.fixture(scope="module")
def systems(tmp_path_factory):
    """Tables of two small systems, as the step writes them."""
    folder = tmp_path_factory.mktemp("theory")
    two = "--classes 3 --examples-per-class 4 --features 3 --spectrum 0.5 1.5 --horizon 1e4 --seed 0"
    one = "--classes 2 --examples-per-class 3 --features 2 --spectrum 0.5 --horizon 1e4 --seed 0"
    for name, system in (("two", two), ("one", one)):
        assert main(["simulate-central-path", *system.split(), "--output", str(folder / f"{name}.csv")]) == 0
    return [folder / "two.csv", folder / "one.csv"]


def test_the_figures_of_systems_are_the_same_bytes_each_time(systems, tmp_path):
    for name in ("first", "second"):
        paths = ["--pdf", str(tmp_path / f"{name}.pdf"), "--png", str(tmp_path / f"{name}.png")]
        assert main(["figure", "--figure", "figure-laws", "--tables", *map(str, systems), *paths]) == 0
    for kind in ("pdf", "png"):
        assert (tmp_path / f"first.{kind}").read_bytes() == (tmp_path / f"second.{kind}").read_bytes()


def test_systems_stand_in_columns_with_the_fewest_classes_first(systems):
    table = pd.concat([pd.read_csv(path) for path in systems])
    titles = [axes.get_title() for axes in figure_central_path.draw(table).axes]
    assert titles[:3] == ["$C=2$, $N=3$, $P=2$", "$C=3$, $N=4$, $P=3$", ""]


def flows_of_free_features():
    """Of made-up numbers: in each system one law under which something is left, and one of which nothing is."""
    times = np.logspace(0, 3, 4)
    rows = []
    for system in ("no_bias", "bias"):
        for law, gain in (("feature_decay_0.3", 0.4), ("feature_decay_2", 0.0)):
            minima = {"loss": 0.3, "gain": gain, "weight": 2 * gain, "feature": gain / 2}
            collapse = ("nc1", "frame_error", "self_duality") if gain else ()
            curves = {name: minima.get(name, 0) + 1 / times for name in (*minima, *collapse)}
            curves |= {f"{name}__minimum": np.full(4, value) for name, value in minima.items()}
            for name, values in curves.items():
                rows += [(system, 5, 4, 6, law, *pair, name) for pair in zip(times, values, strict=True)]
    columns = ["system", "classes", "examples_per_class", "features", "law", "time", "value", "measure"]
    return pd.DataFrame(rows, columns=columns)


def test_the_flow_of_free_features_is_drawn_against_its_minimum():
    figure = figure_unconstrained_features.draw(flows_of_free_features())
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[:2] == ["$C=5$, $N=4$, $P=6$, with bias", "$C=5$, $N=4$, $P=6$, without bias"]
    for axes in figure.axes[:2]:  # the loss above the minimum
        assert [list(line.get_ydata()) for line in axes.lines[::2]] == [pytest.approx([1, 0.1, 0.01, 0.001][::-1])] * 2
    for row, at_minimum in enumerate(({0.4, 0}, {0.8, 0}, {0.2, 0}), 1):
        for axes in figure.axes[2 * row : 2 * row + 2]:
            constant = {line.get_ydata()[0] for line in axes.lines if len(set(line.get_ydata())) == 1}
            assert constant == at_minimum
    for axes in figure.axes[-2:]:  # of the law that leaves nothing, no shape is drawn
        assert len(axes.lines) == 2 * 3
    legends = [[text.get_text() for text in axes.get_legend().get_texts()] for axes in figure.axes if axes.get_legend()]
    assert legends[0][1:] == ["$z=0.4$", "$z=0$"] and legends[-1][3:] == ["$z=0.4$"]


def test_a_table_of_another_kind_is_a_sentence():
    table = flows_of_free_features()
    with pytest.raises(InputError, match=r"5 classes.* has no frame_error"):
        figure_unconstrained_features.draw(table[table.measure != "frame_error"])


@pytest.mark.parametrize("module", [figure_central_path, figure_laws, figure_unconstrained_features])
def test_no_system_is_nothing_to_draw(module):
    columns = ["system", "classes", "examples_per_class", "features", "law", "time", "measure", "value"]
    with pytest.raises(InputError, match="nothing to draw"):
        module.draw(pd.DataFrame(columns=columns))
