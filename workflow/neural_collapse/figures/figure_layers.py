"""Figure: collapse layer by layer, and the effective depth: the first layer whose nearest class means decide."""

import re
from collections.abc import Iterable

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from ..errors import InputError
from ..metrics.runs import title, title_of_variant
from ..metrics.tables import runs
from .style import CLASS_MEANS, STYLE, finish_values

READS = "metrics"
NEEDS_LAYERS = True
MEASURES = {
    "nc1": "NC1, within-class variation",
    "etf_error_means": "NC2, distance from ETF",
    "cdnv": "CDNV",
    "ncc_mismatch": "NC4, mismatch",
}
TOLERATED = 0.01  # of the train images, by a layer whose nearest class mean is said to decide

_LAST = "features"
_EPOCHS = 8  # at most, a line each
_WIDTH, _HEIGHT = 1.75, 1.5  # inches, of a panel


def draw(table: pd.DataFrame) -> Figure:
    """A row of panels for each training: every measure over its layers, a line an epoch, and the depth over epochs."""
    table = _by_layer(table)
    if table.empty:
        raise InputError(
            "the tables hold no measure of an inner layer; write `layers: true` in the study, or measure the layers."
        )
    trainings: dict[str, list[pd.DataFrame]] = {}
    for run, rows in runs(table):
        trainings.setdefault(run.pair, []).append(rows)
    rows = [pd.concat(members) for members in trainings.values()]
    norm = LogNorm(max(1, table.epoch.min()), max(2, table.epoch.max()))
    with matplotlib.rc_context(STYLE):
        columns = len(MEASURES) + 1
        figure = Figure(figsize=(columns * _WIDTH, 0.3 + _HEIGHT * len(rows)), layout="constrained")
        grid = figure.subplots(len(rows), columns, squeeze=False)
        for panels, training in zip(grid, rows, strict=True):
            first = training.iloc[0]
            named = (
                title(first.dataset),
                f"{title(first.network)}, {title(first.loss)}",
                title_of_variant(first.variant),
            )
            panels[0].set_ylabel("\n".join(filter(None, named)))
            layers = in_order(training.layer.unique())
            for axes, measure in zip(panels, MEASURES, strict=False):
                _draw_measure(axes, training[training.measure == measure], layers, norm)
            _draw_depth(panels[-1], training, layers)
        for axes, name in zip(grid[0], [*MEASURES.values(), "effective depth"], strict=True):
            axes.set_title(name)
        grid[-1][-1].set_xlabel("epoch")
        colours = matplotlib.cm.ScalarMappable(norm, STYLE["image.cmap"])
        bar = figure.colorbar(colours, ax=grid, label="epoch", aspect=30 * len(rows), pad=0.01, format="%g")
        bar.outline.set_visible(False)
    return figure


def in_order(layers: Iterable[str]) -> list[str]:
    """Layers from the images to the classifier, by the names that the library's networks give them.

    Tables keep no order: what comes first and last is known by its name, and the others are counted.
    """

    def place(layer: str) -> tuple[int, str, int]:
        name, number = re.fullmatch(r"(.*?)(\d*)", layer).groups()
        rank = {"stem": 0, "flatten": 0, "hidden": 2, _LAST: 3}.get(name, 1)
        return rank, name, int(number or 0)

    return sorted(layers, key=place)


def effective_depths(training: pd.DataFrame) -> pd.Series:
    """The number of the first layer that decides by nearest class mean, by seed and epoch; NaN where none does.

    A layer does where its nearest class means give at most `TOLERATED` of the train images to another class than the
    network does. Galanti, Galanti & Ben-Shaul (arXiv 2202.09028, definition 2) count errors instead, which is the same
    once the network makes none.
    """
    mismatch = training[training.measure == "ncc_mismatch"].pivot(
        index=["seed", "epoch"], columns="layer", values="value"
    )
    decides = mismatch[in_order(mismatch.columns)] <= TOLERATED
    return pd.Series(np.where(decides.any(axis=1), decides.to_numpy().argmax(axis=1) + 1.0, np.nan), decides.index)


def _by_layer(table: pd.DataFrame) -> pd.DataFrame:
    """The train measures of every layer, `layer` a column; none of a run whose inner layers were not measured."""
    table = table[table.split == "train"]
    names = table.measure.str.partition("__")
    table = table.assign(measure=names[0], layer=names[2].replace("", _LAST))
    # Other variants of measures have names of that form, too: a layer has all of these.
    layers = table[table.measure == "etf_error_means"].layer.unique()
    table = table[table.measure.isin(MEASURES) & table.layer.isin(layers)]
    inner = table[table.layer != _LAST].network.unique()
    return table[table.network.isin(inner)]


def _draw_measure(axes: Axes, rows: pd.DataFrame, layers: list[str], norm: LogNorm) -> None:
    values = rows.groupby(["epoch", "layer"]).value.median().unstack()[layers]
    epochs = values.index[np.unique(np.linspace(0, len(values) - 1, _EPOCHS).round().astype(int))]
    for epoch in epochs:
        color = matplotlib.colormaps[STYLE["image.cmap"]](norm(max(1, epoch)))
        shown = values.loc[epoch].where(lambda value: value > 0)
        axes.plot(range(len(layers)), shown, color=color, linewidth=1, marker="o", markersize=2)
    finish_values(axes, log=True)
    axes.set_xticks(range(len(layers)), layers, rotation=90)


def _draw_depth(axes: Axes, training: pd.DataFrame, layers: list[str]) -> None:
    depths = effective_depths(training).groupby("epoch").agg(["median", "min", "max"])
    axes.plot(depths.index, depths["median"], **CLASS_MEANS.of_line(), markersize=3)
    axes.fill_between(depths.index, depths["min"], depths["max"], color=CLASS_MEANS.color, alpha=0.25, linewidth=0)
    axes.set_yticks(range(1, len(layers) + 1), layers)
    axes.set_ylim(0.5, len(layers) + 0.5)
    axes.set_xlim(0, 1.02 * training.epoch.max())
