"""The layer-wise figure: the order of layers, the effective depth, and what it shows of which tables."""

import numpy as np
import pandas as pd
import pytest
from synthetic import synthetic_run

from neural_collapse.errors import InputError
from neural_collapse.figures.figure_layers import MEASURES, TOLERATED, draw, effective_depths, in_order

LAYERS = ["stem", "stage1", "stage2", "stage10", "hidden1"]
EPOCHS = (1, 10, 40)


def with_layers(seed=0, loss="mse"):
    """A synthetic run whose later layers collapse further, and its mismatches by epoch and layer."""
    table = synthetic_run("digits", "vgg11", loss).assign(seed=seed)
    table = table[table.epoch == table.epoch.max()]
    rng = np.random.default_rng(seed)
    mismatches, rows = {}, []
    for epoch in EPOCHS:
        mismatches[epoch] = np.sort(10.0 ** rng.uniform(-4, 0, len(LAYERS) + 1))[::-1]
        for place, layer in enumerate([*LAYERS, ""]):
            for measure in MEASURES:
                value = mismatches[epoch][place] if measure == "ncc_mismatch" else 1.0 / epoch / (place + 1)
                rows.append((epoch, "train", f"{measure}__{layer}".removesuffix("__"), value))
        rows.append((epoch, "train", "nc1__train_means", 7.0))  # a variant of a measure, and no layer
    measured = pd.DataFrame(rows, columns=["epoch", "split", "measure", "value"])
    return measured.assign(
        **{name: table[name].iloc[0] for name in ("dataset", "network", "loss", "variant", "seed")}
    ), mismatches


def test_layers_stand_from_the_images_to_the_classifier():
    assert in_order(reversed([*LAYERS, "features"])) == [*LAYERS, "features"]
    assert in_order(["features", "block2", "stem", "block1"]) == ["stem", "block1", "block2", "features"]


def test_the_effective_depth_is_the_first_layer_that_decides():
    table, mismatches = with_layers()
    names = table.measure.str.partition("__")
    layered = table.assign(measure=names[0], layer=names[2].replace("", "features"))
    found = effective_depths(layered[layered.layer != "train_means"]).droplevel("seed")
    for epoch, of_layers in mismatches.items():
        deciding = [place for place, value in enumerate(of_layers, 1) if value <= TOLERATED]
        assert found[epoch] == deciding[0] if deciding else np.isnan(found[epoch])


def test_every_measure_of_every_layer_is_drawn_an_epoch_a_line():
    tables = [with_layers(seed, loss)[0] for loss in ("mse", "ce") for seed in (0, 1)]
    figure = draw(pd.concat(tables))
    *panels, bar = figure.axes
    assert len(panels) == 2 * (len(MEASURES) + 1) and bar.get_ylabel() == "epoch"
    nc1 = panels[0]
    assert [label.get_text() for label in nc1.get_xticklabels()] == [*LAYERS, "features"]
    np.testing.assert_allclose(
        [line.get_ydata() for line in nc1.lines],
        [[1 / epoch / place for place in range(1, len(LAYERS) + 2)] for epoch in EPOCHS],
    )


def test_tables_without_inner_layers_are_refused_with_what_to_write():
    with pytest.raises(InputError, match="layers: true"):
        draw(synthetic_run("digits", "vgg11", "mse"))
