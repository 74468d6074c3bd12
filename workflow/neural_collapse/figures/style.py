"""What the figures have in common: the paper's grid, its colours, and files that are the same bytes every time.

The grid has a row a family of networks and a column a data set, as in the papers, and shrinks to what there is: the
networks of a single data set stand side by side. Every panel shows the median over the seeds and a band from the least
to the greatest. Epochs are on a linear axis, as in the papers: the terminal phase of training, which they are about,
takes up its share of the width, where a logarithmic axis would squeeze it against the right edge.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator

from ..errors import InputError
from ..metrics.tables import DATASETS, FAMILIES, family, order, runs, title, zero_error_epoch
from ..storage import whole_file

# The font comes with matplotlib, so a picture looks (and its bytes are) the same on every machine; type 42 embeds
# whole outlines, which journals ask for.
STYLE = {
    **sns.axes_style("ticks", {"axes.grid": True, "grid.color": ".92", "axes.edgecolor": ".3"}),
    "font.family": "DejaVu Sans",
    "mathtext.fontset": "dejavusans",
    "font.size": 7,
    "axes.titlesize": 7,
    "axes.labelsize": 8,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 7,
    "axes.linewidth": 0.6,
    "grid.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "ytick.minor.size": 0,
    "pdf.fonttype": 42,
    "savefig.dpi": 200,
}
_PAGE_WIDTH = 7.0  # inches: the text of a page of A4 or US letter
_PANEL_WIDTH = 2.3

_BLUE, _ORANGE, _GREEN, _, _PURPLE = sns.color_palette("colorblind", 5)


@dataclass(frozen=True)
class Look:
    """Colour, line and marker of a curve: the line and the marker tell curves apart where colours don't."""

    color: object
    linestyle: object
    marker: str
    linewidth: float = 1.0
    filled: bool = True

    def of_line(self) -> dict:
        """Properties of a matplotlib line."""
        face = {"markeredgewidth": 0} if self.filled else {"markeredgewidth": 0.7, "markerfacecolor": "none"}
        line = {"color": self.color, "linestyle": self.linestyle, "linewidth": self.linewidth}
        return line | face | {"marker": self.marker, "markeredgecolor": self.color}


CLASS_MEANS = Look(_BLUE, "-", "o")
CLASSIFIERS = Look(_ORANGE, (0, (4, 1.5)), "s")
THIRD = Look(_GREEN, (0, (1, 1)), "^")
FOURTH = Look(_PURPLE, (0, (4, 1.5)), "D")
TOTAL = Look(".35", "-", "")
YARDSTICK = Look(".5", (0, (5, 2)), "", linewidth=0.8)

# The lines of zero error of the first and the second loss: dark dashes on bright red, to show both where they coincide.
_ZERO_ERROR = {"color": "#cc0000", "linestyle": "-", "linewidth": 1, "zorder": 1.4}
_SECOND_ZERO_ERROR = {"color": "#4d0000", "linestyle": (0, (3, 3)), "linewidth": 1, "zorder": 1.5}


@dataclass(frozen=True)
class Curve:
    """One measure to draw in every panel, of the runs with one loss or, where none is named, of all.

    Without a label it is left out of the legend.
    """

    label: str
    measure: str
    look: Look
    loss: str | None = None
    split: str = "train"


# What robustness is to be held against (figures 9 and 11): at that distance lies an image of another class.
NEAREST_OTHER = Curve("nearest train image of another class", "robustness__nearest_other", YARDSTICK, split="test")


def loss_curves(measure: str, split: str = "train") -> tuple[Curve, Curve]:
    """The same measure under both losses, as in figures 10 to 12."""
    return (
        Curve("MSE", measure, CLASS_MEANS, "mse", split),
        Curve("CE", measure, FOURTH, "ce", split),
    )


def draw_grid(
    table: pd.DataFrame, losses: Sequence[str], curves: Sequence[Curve], *, ylabel: str, log: bool = False
) -> Figure:
    """Draw `curves` over epochs for every run of `table` with one of `losses`.

    A red line marks where train accuracy first reaches 99.9 % (the median over the seeds that do reach it, where more
    than half do). Zeros have no place on a logarithmic axis (`log`) and are left out of it.

    Raises InputError where the table holds no value of any curve.
    """
    table = table[table.loss.isin(losses)]
    if not table.measure.isin([drawn.measure for drawn in curves]).any():
        measures = ", ".join(drawn.measure for drawn in curves)
        raise InputError(f"the tables hold no {measures} of a run with loss {' or '.join(losses)}: nothing to draw.")
    with matplotlib.rc_context(STYLE):
        figure, panels = _panels(table)
        marked = set()
        for axes, cell in panels:
            for drawn in curves:
                _draw_curve(axes, cell, drawn, log=log)
            marked |= _mark_zero_error(axes, cell, losses)
        for axes, cell in panels:  # once all are drawn, for the panels of a row share their limits
            _finish_panel(axes, cell, last_epoch=table.epoch.max(), log=log)
        figure.supxlabel("epoch", fontsize=STYLE["axes.labelsize"])
        figure.supylabel(ylabel, fontsize=STYLE["axes.labelsize"])
        _legend(figure, curves, losses, marked)
    return figure


def save(figure: Figure, *, pdf: Path, png: Path) -> None:
    """Write a figure without dates and versions: the same figure gives the same bytes."""
    with matplotlib.rc_context(STYLE):
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # laid out once, so that both files agree
        for path, metadata in ((pdf, {"CreationDate": None}), (png, {"Software": None})):
            with whole_file(path) as temporary:
                figure.savefig(temporary, format=path.suffix[1:], metadata=metadata)


def _panels(table: pd.DataFrame) -> tuple[Figure, list[tuple[Axes, pd.DataFrame]]]:
    """An empty figure, and its panels with the rows that belong into each (none where there is no such run)."""
    table = table.assign(row=_row_labels(table))
    datasets = sorted(table.dataset.unique(), key=lambda name: order(name, DATASETS))
    labels = sorted(table.row.unique(), key=lambda name: (order(family(name), FAMILIES), name))
    cells = [[table[(table.dataset == dataset) & (table.row == row)] for dataset in datasets] for row in labels]
    if len(datasets) == 1:
        cells, datasets = [[cell for [cell] in cells]], datasets * len(labels)
    height, width = len(cells), len(datasets)
    panel = min(_PANEL_WIDTH, _PAGE_WIDTH / width)
    figure = Figure(figsize=(max(3.5, panel * width), 0.85 + max(1.1, 0.75 * panel) * height), layout="constrained")
    grid = figure.subplots(height, width, sharex=True, sharey="row", squeeze=False)
    for axes, dataset in zip(grid[0], datasets, strict=True):
        axes.set_title(title(dataset))
    panels = list(zip(grid.flat, [cell for row in cells for cell in row], strict=True))
    for axes, cell in panels:
        axes.set_title("\n".join(filter(None, [axes.get_title(), _networks(cell)])))
    return figure, panels


def _networks(cell: pd.DataFrame) -> str:
    """The network of a panel, or both for MSE / CE: in the papers their depths differ on some data sets."""
    networks = cell.sort_values("loss", ascending=False).network.unique()
    stem = title(family(networks[0])) if len(networks) else ""
    return stem + " / ".join(title(network).removeprefix(stem) for network in networks)


def _row_labels(table: pd.DataFrame) -> pd.Series:
    """The family of each row's network, or the network itself where a family would crowd several into one panel."""
    families = table.network.map(family)
    networks = table.groupby([table.dataset, table.loss, families]).network.nunique()
    crowded = networks[networks > 1].index.get_level_values("network")
    return families.where(~families.isin(crowded), table.network)


def _draw_curve(axes: Axes, cell: pd.DataFrame, drawn: Curve, *, log: bool) -> None:
    rows = cell[(cell.measure == drawn.measure) & (cell.split == drawn.split)]
    if drawn.loss:
        rows = rows[rows.loss == drawn.loss]
    if log:
        rows = rows[rows.value > 0]
    if rows.empty:
        return
    sns.lineplot(
        rows, x="epoch", y="value", ax=axes, legend=False,
        estimator="median", errorbar=("pi", 100), err_kws={"alpha": 0.25, "linewidth": 0},
        **drawn.look.of_line(), markersize=3, markevery=max(1, rows.epoch.nunique() // 15),
    )  # fmt: skip


def _mark_zero_error(axes: Axes, cell: pd.DataFrame, losses: Sequence[str]) -> set[str]:
    """Draw the red line of each loss in the panel; returns the losses that have one."""
    marked = set()
    for loss, same_loss in cell.groupby("loss"):
        epochs = sorted(zero_error_epoch(run) or math.inf for _, run in runs(same_loss))
        middle = float(np.median(epochs))
        if math.isinf(middle):
            continue
        line = _zero_error_line(loss, losses)
        axes.axvline(middle, **line)
        if epochs[0] < epochs[-1]:
            last = min(epochs[-1], same_loss.epoch.max())
            axes.axvspan(epochs[0], last, color=line["color"], alpha=0.1, linewidth=0)
        marked.add(loss)
    return marked


def _zero_error_line(loss: str, losses: Sequence[str]) -> dict:
    return _ZERO_ERROR if loss == losses[0] else _SECOND_ZERO_ERROR


def _finish_panel(axes: Axes, cell: pd.DataFrame, *, last_epoch: int, log: bool) -> None:
    axes.set(xlabel="", ylabel="", xlim=(0, 1.02 * last_epoch))
    if log:
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        if low > 0.001 and high < 2000:  # else powers of ten are easier to read
            axes.yaxis.set_major_formatter(FuncFormatter(_plain))
        if high < 100 * low:  # too few powers of ten to read values off
            axes.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
            axes.yaxis.set_minor_formatter(FuncFormatter(_plain))
            axes.tick_params(axis="y", which="minor", length=STYLE["ytick.major.size"])
    else:
        axes.set_ylim(bottom=0)
    if cell.empty:
        axes.text(0.5, 0.5, "no run", transform=axes.transAxes, ha="center", va="center", color=".5")
    sns.despine(ax=axes)


def _plain(value: float, _position: int) -> str:
    return f"{value:g}"


def _legend(figure: Figure, curves: Sequence[Curve], losses: Sequence[str], marked: set[str]) -> None:
    """One legend over the grid, in as few rows as fit: the curves, and the red line of each loss that has any."""
    handles = [
        Line2D([], [], **drawn.look.of_line(), markersize=3, label=drawn.label) for drawn in curves if drawn.label
    ]
    for loss in filter(marked.__contains__, losses):
        label = "train accuracy first ≥ 99.9 %" + (f" ({title(loss)})" if len(losses) > 1 else "")
        handles.append(Line2D([], [], **_zero_error_line(loss, losses), label=label))
    for columns in range(len(handles), 0, -1):
        legend = figure.legend(handles=handles, loc="outside upper center", ncols=columns, frameon=False)
        if legend.get_window_extent().width <= figure.bbox.width:
            break
        legend.remove()
