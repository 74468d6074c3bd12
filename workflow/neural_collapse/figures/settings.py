"""What a figure against settings has: the last epoch's values of some measures over the values of each setting.

A panel is a measure over a setting, a line the trainings that differ in that setting alone: the median over the seeds,
and a band from the least to the greatest. Settings are numbers where any such is varied; else they are names, and
points take the place of lines.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from ..metrics.runs import RunKey, title
from ..metrics.settings import along, in_words, read_runs, varied
from ..metrics.tables import curve, read_tables, runs
from .style import CLASS_MEANS, CLASSIFIERS, FOURTH, STYLE, THIRD, Look, NothingToDraw, finish_values

_LOOKS = [
    replace(look, linestyle=style)
    for style in ("-", (0, (4, 1.5)), (0, (1, 1)))
    for look in (CLASS_MEANS, CLASSIFIERS, THIRD, FOURTH)
]
_COLUMNS = 3
_PANEL = (2.3, 1.7)  # inches
_CROWDED = 24  # characters below an axis
_BOUND = {"color": "0.3", "linestyle": (0, (1, 1.5)), "linewidth": 1}
_WIDE = 10  # times: from here on an axis is logarithmic


class Measured(NamedTuple):
    """A measure to draw: its title, its name, of which split, and whether on a logarithmic axis."""

    label: str
    measure: str
    split: str = "train"
    log: bool = False


class Bound(NamedTuple):
    """What measures can come to at a value of a setting, and what to call it."""

    label: str
    of: Callable[[int], float]


def read(paths: Sequence[Path]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tables of measures, and behind them the table of runs."""
    *tables, settings = paths
    return read_tables(tables), read_runs(settings)


def draw_against_settings(
    table: pd.DataFrame,
    settings: pd.DataFrame,
    measures: Sequence[Measured],
    *,
    only: str | None = None,
    bound: Bound | None = None,
) -> Figure:
    """Draw each measure at the last epoch against every setting that is varied, in rows of three panels a setting.

    Parameters
    ----------
    table: of `read_tables`.
    settings: of `read_runs`.
    measures: what to draw.
    only: the one setting to draw them against, which has whole numbers.
    bound: what to draw beside them, of the values of that setting.

    Raises
    ------
    NothingToDraw
        Where no setting is varied, or nothing of the kind was measured.
    """
    values = _last_values(table, measures)
    measures = [one for one in measures if len(values) and values[one.measure, one.split].notna().any()]
    if not measures:
        raise NothingToDraw("the tables hold none of the measures that are drawn against settings: nothing to draw.")
    joined = settings.merge(values, left_on=list(RunKey._fields), right_index=True)
    names = varied(joined[settings.columns])
    names = [only] if only else [name for name in names if _is_numeric(joined[name])] or names or ["loss"]
    height = math.ceil(len(measures) / _COLUMNS)
    width = min(_COLUMNS, len(measures))
    with matplotlib.rc_context(STYLE):
        size = (max(3.5, _PANEL[0] * width), 0.5 + _PANEL[1] * height * len(names))
        figure = Figure(figsize=size, layout="constrained")
        blocks = figure.subfigures(len(names), 1, squeeze=False)[:, 0]
        for block, name in zip(blocks, names, strict=True):
            grid = block.subplots(height, width, squeeze=False)
            lines = _lines(joined, settings.columns, name)
            for axes, one in itertools.zip_longest(grid.flat, measures):
                if one is None:
                    axes.set_visible(False)
                    continue
                for look, rows in zip(itertools.cycle(_LOOKS), lines.values(), strict=False):
                    _draw_line(axes, rows, name, one, look)
                if bound:
                    reached = range(int(joined[name].min()), int(joined[name].max()) + 1)
                    axes.plot(reached, [bound.of(value) for value in reached], **_BOUND)
                axes.set_title(one.label)
                _finish_setting(axes, joined[name], one)
            block.supxlabel(in_words(name), fontsize=STYLE["axes.labelsize"])
            _legend(block, list(lines), bound)
    return figure


def _last_values(table: pd.DataFrame, measures: Sequence[Measured]) -> pd.DataFrame:
    """The value of each measure at the last epoch of each run: a row a run, a column a measure and split."""
    keys = [(one.measure, one.split) for one in measures]
    rows = {}
    for run, of in runs(table[table.measure.isin([measure for measure, _ in keys])]):
        curves = [curve(of, *key) for key in keys]
        rows[tuple(run)] = [one.iloc[-1] if len(one) else math.nan for one in curves]
    values = pd.DataFrame.from_dict(rows, orient="index")
    if len(values):
        values.index = pd.MultiIndex.from_tuples(values.index, names=RunKey._fields)
        values.columns = pd.Index(keys, tupleize_cols=False)
    return values


def _lines(joined: pd.DataFrame, columns: pd.Index, name: str) -> dict[str, pd.DataFrame]:
    """The trainings that differ in one setting alone, by what tells them from the others."""
    lines = {}
    for shared, rows in along(joined[columns], name):
        words = [
            title(value) if key in RunKey._fields else in_words(key, value)
            for key, value in shared.items()
            if key not in RunKey._fields or joined[key].nunique() > 1
        ]
        lines[", ".join(words)] = joined.loc[rows.index]
    return lines


def _draw_line(axes: Axes, rows: pd.DataFrame, name: str, one: Measured, look: Look) -> None:
    values = rows[[name, (one.measure, one.split)]].set_axis(["setting", "value"], axis=1).dropna()
    if one.log:
        values = values[values.value > 0]
    if name == "loss":
        values["setting"] = values.setting.map(title)
    named = not _is_numeric(values.setting)
    if named:
        values["setting"] = values.setting.astype(str)
        look = replace(look, linestyle="")
    found = values.groupby("setting", sort=not named).value.agg(["median", "min", "max"])
    axes.plot(found.index, found["median"], **look.of_line(), markersize=3.5)
    if named:
        axes.vlines(found.index, found["min"], found["max"], color=look.color, alpha=0.5)
    else:
        axes.fill_between(found.index, found["min"], found["max"], color=look.color, alpha=0.2, linewidth=0)


def _finish_setting(axes: Axes, values: pd.Series, one: Measured) -> None:
    if _is_numeric(values):
        if values.min() > 0 and values.max() >= _WIDE * values.min():
            axes.set_xscale("log")
        shown = sorted(values.dropna().unique())
        if len(shown) <= 6:
            axes.set_xticks(shown, [f"{value:g}" for value in shown])
            axes.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    elif sum(len(str(value)) for value in values.unique()) > _CROWDED:
        for label in axes.get_xticklabels():
            label.set(rotation=30, ha="right", rotation_mode="anchor")
    finish_values(axes, log=one.log)
    if not one.log:
        axes.set_ylim(min(0, 1.06 * axes.dataLim.ymin), max(0, 1.06 * axes.dataLim.ymax) or 1)


def _is_numeric(values: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def _legend(block: SubFigure, labels: Sequence[str], bound: Bound | None) -> None:
    if len(labels) < 2 and not bound:
        return
    handles = [
        Line2D([], [], **look.of_line(), markersize=3.5, label=label)
        for look, label in zip(itertools.cycle(_LOOKS), labels, strict=False)
    ]
    if bound:
        handles.append(Line2D([], [], **_BOUND, label=bound.label))
    block.legend(handles=handles, loc="outside upper center", ncols=min(4, len(handles)), frameon=False)
