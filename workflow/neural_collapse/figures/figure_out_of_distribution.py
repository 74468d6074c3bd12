"""Figure: how well scores tell data out of distribution from test data, and whether its mean is orthogonal (NC5)."""

import math
from collections.abc import Sequence
from dataclasses import replace

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ..config.names import LEFT_OUT
from ..errors import InputError
from ..metrics.runs import title, title_of_variant
from ..metrics.tables import runs, zero_error_epoch
from .style import CLASS_MEANS, CLASSIFIERS, FIFTH, FOURTH, STYLE, THIRD, TOTAL, YARDSTICK, Look

READS = "out_of_distribution"

_SCORES = {
    "maximum_softmax": ("maximum softmax", TOTAL),
    "maximum_logit": ("maximum logit", YARDSTICK),
    "energy": ("energy", THIRD),
    "mahalanobis": ("Mahalanobis", FOURTH),
    "neco": ("NECO", CLASS_MEANS),
    "neco_maximum_logit": ("NECO × maximum logit", FIFTH),
    "nci": ("NCI", CLASSIFIERS),
}
_LOOKS = (TOTAL, CLASS_MEANS, CLASSIFIERS, THIRD, FOURTH, FIFTH)  # of data sets, one after the other
_ZERO_ERROR = {"color": "#cc0000", "linewidth": 1, "zorder": 1.4}
_WIDTH, _HEIGHT = 2.2, 1.5  # inches, of a panel


def draw(table: pd.DataFrame) -> Figure:
    """A row of panels for each training: the AUROC of every score, a panel a data set, and NC5 of each data set."""
    names = table.measure.str.extract("^(.+?)__(.+?)(?:__(auroc))?$")
    table = table.assign(kind=names[0], of=names[1], auroc=names[2].notna())
    sets = sorted(table.of[table.kind == "nc5"].unique())
    if not sets:
        raise InputError(
            "the tables hold nothing of data out of distribution; name some under `out_of_distribution` of the study."
        )
    trainings: dict[str, list[pd.DataFrame]] = {}
    for run, rows in runs(table):
        trainings.setdefault(run.pair, []).append(rows)
    with matplotlib.rc_context(STYLE):
        columns = len(sets) + 1
        size = (max(3.5, columns * _WIDTH), 0.6 + _HEIGHT * len(trainings))
        figure = Figure(figsize=size, layout="constrained")
        grid = figure.subplots(len(trainings), columns, squeeze=False, sharey="col")
        marked = False
        for panels, members in zip(grid, trainings.values(), strict=True):
            rows = pd.concat(members)
            first = rows.iloc[0]
            named = (f"{title(first.network)}, {title(first.loss)}", title_of_variant(first.variant))
            panels[0].set_ylabel("\n".join(filter(None, (title(first.dataset), *named))))
            for axes, of in zip(panels, sets, strict=False):
                here = rows[(rows.of == of) & rows.auroc]
                for kind, (_, look) in _SCORES.items():
                    _draw_line(axes, here[here.kind == kind], look)
            nc5 = rows[rows.kind == "nc5"]
            for of, look in zip(sets, _LOOKS, strict=False):
                _draw_line(panels[-1], nc5[nc5.of == of], look)
            for axes in panels:
                marked |= _mark_zero_error(axes, members)
                axes.set_xlim(0, 1.02 * rows.epoch.max())
                axes.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))
        for axes, of in zip(grid[0], sets, strict=False):
            axes.set_title(f"AUROC, {_words(of)}")
            axes.set_ylim(top=1.0)
        grid[0][-1].set_title("NC5, |cos| of means")
        grid[0][-1].set_ylim(bottom=0)
        figure.supxlabel("epoch", fontsize=STYLE["axes.labelsize"])
        _legend(figure, sets, marked)
    return figure


def _words(data: str) -> str:
    return "classes left out" if data == LEFT_OUT else title(data)


def _draw_line(axes: Axes, rows: pd.DataFrame, look: Look) -> None:
    values = rows.groupby("epoch").value.agg(["median", "min", "max"])
    axes.plot(values.index, values["median"], **replace(look, linewidth=1).of_line(), markersize=2.5)
    axes.fill_between(values.index, values["min"], values["max"], color=look.color, alpha=0.12, linewidth=0)


def _mark_zero_error(axes: Axes, members: Sequence[pd.DataFrame]) -> bool:
    """Draw where train accuracy first reaches 99.9 %, the median over the seeds, where more than half reach it."""
    epoch = float(np.median([zero_error_epoch(rows) or math.inf for rows in members]))
    if math.isfinite(epoch):
        axes.axvline(epoch, **_ZERO_ERROR)
    return math.isfinite(epoch)


def _legend(figure: Figure, sets: Sequence[str], marked: bool) -> None:
    lines = [(look, label) for label, look in _SCORES.values()]
    lines += [(look, f"NC5, {_words(of)}") for of, look in zip(sets, _LOOKS, strict=False)]
    handles = [Line2D([], [], **look.of_line(), markersize=3, label=label) for look, label in lines]
    if marked:
        handles.append(Line2D([], [], **_ZERO_ERROR, label="train accuracy first ≥ 99.9 %"))
    figure.legend(handles=handles, loc="outside upper center", ncols=4, frameon=False)
