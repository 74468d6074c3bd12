"""What the figures have in common: the paper's grid, its colours, and files that are the same bytes every time.

The grid has a row a family of networks and a column a data set, as in the papers, and shrinks to what there is: the
networks of a single data set stand side by side. Losses share a panel where a figure compares them; in every other
figure each has rows of its own. Every panel shows the median over the seeds and a band from the least to the greatest.
Epochs are on a linear axis, as in the papers: the terminal phase of training, which they are about, takes up its share
of the width, where a logarithmic axis would squeeze it against the right edge. Where every run has one epoch alone,
networks take their place: points side by side, in a panel a data set.
"""

import io
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import wrap

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

from ..config.names import UNKNOWN
from ..errors import InputError, shortened
from ..metrics.runs import DATASETS, FAMILIES, LOSSES, RunKey, by_number, family, order, title, title_of_variant
from ..metrics.tables import runs, zero_error_epoch
from ..storage import whole_file


class NothingToDraw(InputError):
    """The tables hold nothing that a figure shows."""


# The font comes with matplotlib, so a picture looks (and its bytes are) the same on every machine; type 42 embeds
# whole outlines, which journals ask for.
STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": ".3",
    "axes.grid": True,
    "axes.labelcolor": ".15",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "grid.color": ".92",
    "image.cmap": "viridis",
    "lines.solid_capstyle": "round",
    "text.color": ".15",
    "xtick.color": ".15",
    "ytick.color": ".15",
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
}
_PAGE_WIDTH = 7.0  # inches: the text of a page of A4 or US letter
_PANEL_WIDTH = 2.3
_DOTS_PER_INCH = 200
_TITLE = 26  # characters of a variant in a line of a panel's title
_OTHER = "loss not known"
_MOST_BESIDE = 5  # panels of a single data set in a row

# Of the palette that readers of every kind of colour vision tell apart (Okabe & Ito, as in seaborn's "colorblind").
_BLUE, _ORANGE, _GREEN, _VERMILION, _PURPLE = "#0173b2", "#de8f05", "#029e73", "#d55e00", "#cc78bc"
_SKY = "#56b4e9"


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
FIFTH = Look(_SKY, (0, (4, 1.5, 1, 1.5)), "v")
TOTAL = Look(".35", "-", "")
YARDSTICK = Look(".5", (0, (5, 2)), "", linewidth=0.8)

# The curves of each loss where they share a panel, and the lines of zero error: dark dashes on bright red, and pale
# dots on both, show all where they coincide. A loss after these takes the looks of the first again.
_LOSSES = (CLASS_MEANS, FOURTH, CLASSIFIERS, THIRD, FIFTH)
_ZERO_ERROR = (
    {"color": "#cc0000", "linestyle": "-", "linewidth": 1, "zorder": 1.4},
    {"color": "#4d0000", "linestyle": (0, (3, 3)), "linewidth": 1, "zorder": 1.5},
    {"color": "#ffb3b3", "linestyle": (0, (1, 5)), "linewidth": 1, "zorder": 1.6},
)


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


def loss_curves(table: pd.DataFrame, measure: str, split: str = "train", *, points: str = "") -> list[Curve]:
    """The same measure under every loss of the table, to be compared in one panel.

    `points` labels a measure that few epochs have: it is drawn as open points, no line.
    """
    curves = []
    for loss, look in zip(_losses(table), itertools.cycle(_LOSSES), strict=False):
        drawn = replace(look, linestyle="", marker="D", filled=False) if points else look
        name = title(loss) or _OTHER * (len(_losses(table)) > 1)
        curves.append(Curve(", ".join(filter(None, [name, points])), measure, drawn, loss, split))
    return curves


def draw_grid(
    table: pd.DataFrame, curves: Sequence[Curve], *, ylabel: str, log: bool = False, loss: str | None = None
) -> Figure:
    """Draw `curves` over epochs for every run of `table` that has any, or every such run with one `loss`.

    Where curves name their loss, all losses share a panel; else each has panels of its own. A red line marks where
    train accuracy first reaches 99.9 % (the median over the seeds that do reach it, where more than half do), unless
    more than three losses share the panel. Zeros have no place on a logarithmic axis (`log`) and are left out of it.

    Raises
    ------
    NothingToDraw
        The table holds no value of any curve.
    """
    if loss:
        table = table[table.loss == loss]
    measures = ", ".join(dict.fromkeys(drawn.measure for drawn in curves)) or "value"
    if len(table) and not (table.split == "train").any():
        tested = {(drawn.measure, drawn.loss) for drawn in curves if drawn.split == "test"}
        curves = [
            replace(drawn, split="test")
            for drawn in curves
            if drawn.split == "test" or (drawn.measure, drawn.loss) not in tested
        ]
        ylabel = f"{ylabel}, test data" if "test" not in ylabel else ylabel
    splits = " or ".join(dict.fromkeys(drawn.split for drawn in curves)) or "any"
    curves = [drawn for drawn in curves if len(_rows(table, drawn, log=log))]
    if not curves:
        of = f"{' above 0' * log} on {splits} data of a run{f' with loss {loss}' * bool(loss)}"
        raise NothingToDraw(
            f"the tables hold no {measures}{of}: nothing to draw; a study leaves a figure out by `leave_out`."
        )
    table = _measured(table, curves)
    compare = any(drawn.loss for drawn in curves)
    losses = _losses(table)
    if table.groupby(list(RunKey._fields)).epoch.nunique().max() == 1:
        return _draw_networks(table, curves, ylabel=ylabel, log=log, apart=not (compare or loss))
    with matplotlib.rc_context(STYLE):
        figure, panels = _panels(table, apart=not (compare or loss))
        marked = set()
        for axes, cell in panels:
            for drawn in curves:
                _draw_curve(axes, cell, drawn, log=log)
            if axes.lines and not (compare and len(losses) > len(_ZERO_ERROR)):
                marked |= _mark_zero_error(axes, cell, losses if compare else [])
        for axes, cell in panels:  # once all are drawn, for the panels of a row share their limits
            _finish_panel(axes, cell, log=log)
        figure.supxlabel("epoch", fontsize=STYLE["axes.labelsize"])
        figure.supylabel(ylabel, fontsize=STYLE["axes.labelsize"])
        _legend(figure, curves, losses if compare else [], marked)
    return figure


def _draw_networks(table: pd.DataFrame, curves: Sequence[Curve], *, ylabel: str, log: bool, apart: bool) -> Figure:
    """Networks that were measured once each, side by side: a panel a data set, and with `apart` a loss."""
    varied = [
        f"{network} {title_of_variant(variant)}" for network, variant in zip(table.network, table.variant, strict=True)
    ]
    table = table.assign(network=[name.strip() for name in varied], block=table.loss if apart else "")
    cells = [cell for _, cell in table.groupby(["dataset", "block"], sort=False)]
    cells = [cell for cell in cells if any(len(_rows(cell, drawn, log=log)) for drawn in curves)]
    cells.sort(key=lambda cell: (order(cell.dataset.iloc[0], DATASETS), order(cell.block.iloc[0], LOSSES)))
    with matplotlib.rc_context(STYLE):
        width = max(3.5, sum(0.9 + 0.35 * cell.network.nunique() for cell in cells))
        figure = Figure(figsize=(min(width, _PAGE_WIDTH), 2.6), layout="constrained")
        grid = figure.subplots(1, len(cells), sharey=True, squeeze=False)[0]
        for axes, cell in zip(grid, cells, strict=True):
            shown = {network for drawn in curves for network in _rows(cell, drawn, log=log).network}
            networks = list(dict.fromkeys(run.network for run, _ in runs(cell) if run.network in shown))
            for drawn in curves:
                values = _rows(cell, drawn, log=log).groupby("network").value.agg(["median", "min", "max"])
                values = values.reindex([network for network in networks if network in values.index])
                places = [networks.index(network) for network in values.index]
                axes.plot(places, values["median"], **_point(drawn.look).of_line(), markersize=4, zorder=3)
                axes.vlines(places, values["min"], values["max"], color=drawn.look.color, alpha=0.5)
            axes.set_title(", ".join(filter(None, (title(cell.dataset.iloc[0]), title(cell.block.iloc[0])))))
            names = [shortened(title(network), 24) for network in networks]
            crowded = max(map(len, names)) * len(names) > 24
            axes.set_xticks(range(len(names)), names, rotation=30 * crowded, ha="right" if crowded else "center")
            axes.set_xlim(-0.5, len(names) - 0.5)
            finish_values(axes, log=log)
        figure.supylabel(ylabel, fontsize=STYLE["axes.labelsize"])
        _legend(figure, [replace(drawn, look=_point(drawn.look)) for drawn in curves], [], set())
    return figure


def _point(look: Look) -> Look:
    """A look without its line; what had no marker becomes a ring, which shows around the point of another curve."""
    return replace(look, linestyle="", marker=look.marker or "8", filled=look.filled and bool(look.marker))


def _rows(table: pd.DataFrame, drawn: Curve, *, log: bool) -> pd.DataFrame:
    """What a curve shows of a table."""
    rows = table[(table.measure == drawn.measure) & (table.split == drawn.split)]
    if drawn.loss:
        rows = rows[rows.loss == drawn.loss]
    return rows[np.isfinite(rows.value) & ((rows.value > 0) | (not log))]


def _measured(table: pd.DataFrame, curves: Sequence[Curve]) -> pd.DataFrame:
    """The runs of which something that is drawn was measured: features without a classifier, say, may have nothing."""
    keys = list(RunKey._fields)
    drawn = pd.concat([table[(table.measure == one.measure) & (table.split == one.split)] for one in curves])
    return table[pd.MultiIndex.from_frame(table[keys]).isin(pd.MultiIndex.from_frame(drawn[keys]))]


def _losses(table: pd.DataFrame) -> list[str]:
    return sorted(table.loss.unique(), key=lambda name: order(name, LOSSES))


def draw_sentence(sentence: str) -> Figure:
    """A picture that says why there is no figure, in its place."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(_PANEL_WIDTH * 2, 0.8), layout="constrained")
        figure.text(0.5, 0.5, "\n".join(wrap(sentence, 76)), ha="center", va="center")
    return figure


def save(figure: Figure, *, pdf: Path, png: Path) -> None:
    """Write a figure without dates and versions: the same figure gives the same bytes."""
    with matplotlib.rc_context(STYLE):
        # Laid out once, so that both files agree; `figure.savefig` would draw everything twice for each.
        figure.get_layout_engine().execute(figure)
        figure.set_layout_engine("none")
        # Drawn in memory: the PDF writer's own way with a full disk is an error in its clean-up.
        FigureCanvasPdf(figure).print_pdf(drawn := io.BytesIO(), metadata={"CreationDate": None})
        with whole_file(pdf) as temporary:
            temporary.write_bytes(drawn.getvalue())
        figure.dpi = _DOTS_PER_INCH
        with whole_file(png) as temporary:
            FigureCanvasAgg(figure).print_png(temporary, metadata={"Software": None})


def _panels(table: pd.DataFrame, *, apart: bool) -> tuple[Figure, list[tuple[Axes, pd.DataFrame]]]:
    """An empty figure, and its panels with the rows that belong into each (none where there is no such run).

    `apart` gives each loss rows of its own.
    """
    table = table.assign(row=_row_labels(table), block=table.loss if apart else "")
    datasets = sorted(table.dataset.unique(), key=lambda name: order(name, DATASETS))
    blocks = sorted(table.block.unique(), key=lambda name: order(name, LOSSES))
    labels = sorted(
        set(zip(table.row, table.variant, strict=True)),
        key=lambda label: (order(family(label[0]), FAMILIES), label[0], by_number(label[1])),
    )
    groups = dict(list(table.groupby(["block", "row", "variant", "dataset"])))
    cells = [
        [groups.get((block, *label, dataset), table[:0]) for dataset in datasets]
        for block in blocks
        for label in labels
    ]
    alone = [[cell] for row in cells for cell in row if len(cell)]
    if scattered := len(datasets) > 1 and UNKNOWN in datasets:
        # Features brought from anywhere have no column, and would leave half of a grid empty.
        width = min(len(alone), _MOST_BESIDE - 1)
        cells = [[cell for [cell] in alone[at : at + width]] for at in range(0, len(alone), width)]
        datasets = datasets[:1] * width
    elif len(datasets) == 1:
        width = len(labels) if len(labels) <= _MOST_BESIDE else _MOST_BESIDE - 1
        of_blocks = [cells[start : start + len(labels)] for start in range(0, len(cells), len(labels))]
        cells = [[cell for [cell] in of[at : at + width]] for of in of_blocks for at in range(0, len(of), width)]
        datasets = datasets * width
    cells = [row for row in cells if any(map(len, row))]
    height, width = len(cells), len(datasets)
    panel = min(_PANEL_WIDTH, _PAGE_WIDTH / width)
    figure = Figure(figsize=(max(3.5, panel * width), 0.85 + max(1.1, 0.75 * panel) * height), layout="constrained")
    one_end = len({cell.epoch.max() for row in cells for cell in row if len(cell)}) == 1
    grid = figure.subplots(height, width, sharex=one_end, sharey="row", squeeze=False)
    for axes, dataset in zip(grid[0], datasets, strict=True):
        axes.set_title("" if scattered else title(dataset))
    panels: list[tuple[Axes, pd.DataFrame]] = []
    for row, shown in zip(grid, cells, strict=True):
        panels += zip(row, shown, strict=False)
        for axes in row[len(shown) :]:
            axes.set_visible(False)
    for axes, cell in panels:
        if scattered:
            axes.set_title(title(cell.dataset.iloc[0]))
        named = [shortened(_networks(cell), 30), *map(title, cell.block.unique())]
        varied = [line for variant in cell.variant.unique() for line in wrap(title_of_variant(variant), _TITLE)[:4]]
        axes.set_title("\n".join(filter(None, [axes.get_title(), ", ".join(filter(None, named)), *varied])))
    return figure, panels


def _networks(cell: pd.DataFrame) -> str:
    """The network of a panel, or all for MSE / CE: in the papers their depths differ on some data sets."""
    networks = cell.sort_values("loss", key=lambda losses: losses.map(_losses(cell).index)).network.unique()
    stem = title(family(networks[0])) if len(networks) else ""
    return stem + " / ".join(title(network).removeprefix(stem) for network in networks)


def _row_labels(table: pd.DataFrame) -> pd.Series:
    """The family of each row's network, or the network itself where a family would crowd several into one panel."""
    families = table.network.map(family)
    networks = table.groupby([table.dataset, table.loss, families]).network.nunique()
    crowded = networks[networks > 1].index.get_level_values("network")
    return families.where(~families.isin(crowded), table.network)


def _draw_curve(axes: Axes, cell: pd.DataFrame, drawn: Curve, *, log: bool) -> None:
    rows = _rows(cell, drawn, log=log)
    if rows.empty:
        return
    values = rows.groupby("epoch").value.agg(["median", "min", "max"])
    every = max(1, len(values) // 15)
    axes.plot(values.index, values["median"], **drawn.look.of_line(), markersize=3, markevery=every)
    if (values["min"] < values["max"]).any():
        color = drawn.look.color
        axes.fill_between(values.index, values["min"], values["max"], color=color, alpha=0.25, linewidth=0)


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
    """The line of a loss among those that share a panel (none: each has its own)."""
    return _ZERO_ERROR[losses.index(loss) % len(_ZERO_ERROR) if losses else 0]


def _finish_panel(axes: Axes, cell: pd.DataFrame, *, log: bool) -> None:
    if len(cell):
        axes.set_xlim(0, max(1.02 * cell.epoch.max(), 1))
        axes.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))
    finish_values(axes, log=log)
    if not axes.lines:
        reason = "no value" if len(cell) else "no run"
        axes.text(0.5, 0.5, reason, transform=axes.transAxes, ha="center", va="center", color=".5")
        axes.xaxis.set_visible(False)  # its numbers would mean nothing


def finish_values(axes: Axes, *, log: bool) -> None:
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


def _plain(value: float, _position: int) -> str:
    return f"{value:g}"


def _legend(figure: Figure, curves: Sequence[Curve], losses: Sequence[str], marked: set[str]) -> None:
    """One legend over the grid, in as few rows as fit: the curves, and the red line of each loss that has any."""
    handles = [
        Line2D([], [], **drawn.look.of_line(), markersize=3, label=drawn.label) for drawn in curves if drawn.label
    ]
    for loss in filter(marked.__contains__, losses or sorted(marked)[:1]):
        label = "train accuracy first ≥ 99.9 %" + (f" ({title(loss) or _OTHER})" if len(losses) > 1 else "")
        handles.append(Line2D([], [], **_zero_error_line(loss, losses), label=label))
    handles = [handle for handle in handles if handle.get_label()]
    for columns in range(len(handles), 0, -1):
        legend = figure.legend(handles=handles, loc="outside upper center", ncols=columns, frameon=False)
        if legend.get_window_extent().width <= figure.bbox.width:
            break
        legend.remove()
