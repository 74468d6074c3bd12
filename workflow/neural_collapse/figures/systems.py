"""What the figures of simulated systems have in common: a column a system, and time on a logarithmic axis."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend_handler import HandlerTuple
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator

from ..errors import InputError
from .style import STYLE, Look

_PAGE_WIDTH = 7.0  # inches
_ROW_HEIGHT = 1.35
_POINTS = 12  # of a simulated curve: few enough for its closed form to be seen between them


class System(NamedTuple):
    """Its name; C, N, P; the values, by law and time with a column a measure; its panels, top to bottom."""

    name: str
    classes: int
    examples_per_class: int
    features: int
    values: pd.DataFrame
    panels: Sequence[Axes]


def spectrum(classes: int) -> list[str]:
    """The measures that make up the SNR spectrum of a system."""
    return [f"snr_{j}" for j in range(1, classes)]


def system_grid(
    table: pd.DataFrame, ylabels: Sequence[str], needed: Callable[[int], Iterable[str]] = spectrum
) -> tuple[Figure, list[System]]:
    """An empty figure with a row for each of `ylabels` and a column for each system, the fewest classes first.

    Time 0 is left out: it has no place on the axis. `needed` says which measures a system of so many classes must have.

    Raises
    ------
    InputError
        Where there is no system, or not all that is needed of one.
    """
    table = table[table.time > 0]
    if table.empty:
        raise InputError("the tables hold no simulated system: nothing to draw.")
    groups = table.groupby(["classes", "examples_per_class", "features", "system"])
    figure = Figure(figsize=(_PAGE_WIDTH, 0.5 + _ROW_HEIGHT * len(ylabels)), layout="constrained")
    grid = figure.subplots(len(ylabels), len(groups), sharex="col", sharey="row", squeeze=False)
    for axes, ylabel in zip(grid[:, 0], ylabels, strict=True):
        axes.set_ylabel(ylabel)
    for axes in grid.flat:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(numticks=5))
    figure.supxlabel("time $t$ of the gradient flow", fontsize=STYLE["axes.labelsize"])
    systems = []
    for ((classes, examples, features, name), rows), panels in zip(groups, grid.T, strict=True):
        found = set(rows.measure)
        if absent := next((measure for measure in needed(classes) if measure not in found), None):
            raise InputError(
                f"the system of {classes} classes, {examples} examples each and {features} features has no {absent}: a "
                "table is damaged, make it again."
            )
        panels[0].set_title(f"$C={classes}$, $N={examples}$, $P={features}$")
        values = rows.pivot(index=["law", "time"], columns="measure", values="value")
        systems.append(System(name, classes, examples, features, values, panels))
    return figure, systems


def draw_simulation(axes: Axes, values: pd.DataFrame, measure: str, look: Look) -> None:
    """The simulated values of a measure, by time, as points; its closed form as a line, or they joined."""
    simulated = values[measure].dropna()
    every = (len(values) - 1) // _POINTS + 1
    axes.plot(simulated.index[::-every], simulated[::-every], **look.of_line() | {"linestyle": ""}, markersize=2.5)
    line = values.get(f"{measure}__closed_form", simulated).dropna()
    axes.plot(line.index, line, **look.of_line() | {"marker": ""})


def row_legend(systems: Sequence[System], row: int, entries: dict[str, Line2D | tuple[Line2D, ...]]) -> None:
    """Explain one row of panels at its right end: labels, and the lines they explain, side by side where several."""
    systems[-1].panels[row].legend(
        entries.values(), entries, loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False,
        handler_map={tuple: HandlerTuple(ndivide=None, pad=0.2)},
    )  # fmt: skip


def shades(count: int) -> list[Look]:
    """The looks of what is of one kind and has an order."""
    return [Look(color, "-", "o") for color in matplotlib.colormaps["viridis_r"](np.linspace(0, 1, count + 2)[1:-1])]


def unfilled(look: Look) -> Look:
    return replace(look, filled=False)


def handle(look: Look, **properties: Any) -> Line2D:
    return Line2D([], [], **look.of_line() | properties, markersize=2.5)
