"""Figure: a portrait of collapse (figure 1 of the papers): examples, class means and classifiers of three classes."""

from collections.abc import Mapping

import matplotlib
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..config.names import parts_of_pair
from ..errors import InputError
from ..metrics.portrait import REACH, Portrait, read_portraits, simplex
from ..metrics.runs import title, title_of_variant
from .style import CLASS_MEANS, CLASSIFIERS, STYLE, THIRD

READS = "portraits"
read = read_portraits
_EPOCHS = 5  # shown of a run
_PANEL = 1.4  # inches
_COLORS = (CLASS_MEANS.color, CLASSIFIERS.color, THIRD.color)


def draw(portraits: Mapping[str, Portrait]) -> Figure:
    """A row of panels for each run, from its first to its last measured epoch."""
    if not portraits:
        raise InputError("no run's portrait is given: nothing to draw.")
    with matplotlib.rc_context(STYLE | {"axes.grid": False}):
        figure = Figure(figsize=(_EPOCHS * _PANEL, 0.5 + _PANEL * len(portraits)), layout="constrained")
        grid = figure.subplots(len(portraits), _EPOCHS, squeeze=False)
        for panels, (run, portrait) in zip(grid, portraits.items(), strict=True):
            shown = np.unique(np.linspace(0, len(portrait.epochs) - 1, _EPOCHS).round().astype(int))
            for axes in panels:
                axes.set_axis_off()
            for axes, place in zip(panels, shown, strict=False):
                _draw_panel(axes, portrait, place)
                axes.set_title(f"epoch {portrait.epochs[place]}")
            dataset, network, loss, variant = parts_of_pair(run)
            name = "\n".join(
                filter(None, [title(dataset), f"{title(network)}, {title(loss)}", title_of_variant(variant)])
            )
            panels[0].text(-0.05, 0.5, name, transform=panels[0].transAxes, rotation=90, ha="right", va="center")
        handles = [
            Line2D([], [], color=".35", linestyle="", marker=".", markersize=3, label="examples"),
            Line2D([], [], color=".35", linestyle="", marker="o", markerfacecolor="none", label="class means"),
            Line2D([], [], color=".35", marker="s", markersize=3.5, label="classifiers"),
            Line2D([], [], color=".6", linestyle=":", label="simplex ETF"),
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), frameon=False)
    return figure


def _draw_panel(axes: Axes, portrait: Portrait, place: int) -> None:
    means, classifiers = portrait.class_means[place], portrait.classifiers[place]
    colors = _COLORS[: len(means)]
    for corner in simplex(len(colors)):
        axes.plot([0, 1.5 * corner[0]], [0, 1.5 * corner[1]], color=".6", linestyle=":", linewidth=0.8, zorder=1)
    x, y = portrait.examples[place].T
    palette = dict(enumerate(colors))
    sns.scatterplot(x=x, y=y, hue=portrait.labels, palette=palette, s=4, linewidth=0, alpha=0.5, legend=False, ax=axes)
    for color, mean, classifier in zip(colors, means, classifiers, strict=True):
        axes.plot([0, classifier[0]], [0, classifier[1]], color=color, lw=1, marker="s", ms=3, markevery=[1], zorder=3)
        axes.plot(*mean, marker="o", markersize=6, markerfacecolor="none", markeredgewidth=0.9, color=color, zorder=4)
    axes.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), aspect="equal")
