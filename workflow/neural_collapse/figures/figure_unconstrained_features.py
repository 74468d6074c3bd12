"""Figure: free features under MSE loss flow to the minimum that is known in closed form, and collapse."""

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..metrics.tables import read_systems
from .style import CLASS_MEANS, CLASSIFIERS, STYLE, THIRD, TOTAL, YARDSTICK, Look
from .systems import System, draw_simulation, handle, row_legend, shades, system_grid, unfilled

READS = "theory"
TABLE = "unconstrained_features"
read = read_systems

_TITLES = {"bias": "with bias", "no_bias": "without bias"}
_COLLAPSE = {
    "nc1": (r"NC1: $\mathrm{Tr}(\Sigma_W\Sigma_B^\dagger)/C$", CLASS_MEANS),
    "frame_error": ("NC2: distance of class\nmeans from the frame", CLASSIFIERS),
    "self_duality": ("NC3: self-duality", THIRD),
}
_SIZES = {"gain": "gain $z$", "weight": "length of $W$'s rows", "feature": "length of features"}
_ROWS = ("loss above minimum", *_SIZES.values(), "neural collapse")
_LEAST_LENGTH = 1e-2
_ROUNDING = 1e-12  # below it, differences from the minimum are of rounding and the integration's steps


def draw(table: pd.DataFrame) -> Figure:
    with matplotlib.rc_context(STYLE):
        figure, systems = system_grid(table, _ROWS, lambda _: ("loss", *_SIZES, *_COLLAPSE))
        for system in systems:
            _draw_system(system)
        gains = _gains(system)
        labels = [f"$z={gain:.2g}$" for gain in gains]
        heading = {"gain at the minimum:": handle(TOTAL, linestyle="")}
        row_legend(systems, 0, heading | dict(zip(labels, map(handle, shades(len(gains))), strict=True)))
        row_legend(systems, 1, {"at the minimum": handle(YARDSTICK)})
        measures = {label: handle(look) for label, look in _COLLAPSE.values()}
        collapsed = {
            label: tuple(handle(_of_gain(look, gain, gains), linestyle="") for _, look in _COLLAPSE.values())
            for label, gain in zip(labels, gains, strict=True)
            if gain > 0
        }
        row_legend(systems, len(_ROWS) - 1, measures | collapsed)
    return figure


def _gains(system: System) -> pd.Series:
    """The gain at the minimum of each law, the greatest first."""
    return system.values["gain__minimum"].groupby("law").first().sort_values(ascending=False)


def _of_gain(look: Look, gain: float, gains: pd.Series) -> Look:
    return look if gain == gains.max() else unfilled(look)


def _draw_system(system: System) -> None:
    loss, *sizes, collapse = system.panels
    loss.set_title(f"{loss.get_title()}, {_TITLES.get(system.name, system.name)}")
    gains = _gains(system)
    for (law, gain), look in zip(gains.items(), shades(len(gains)), strict=True):
        values = system.values.loc[law]
        above = values.loss - values.loss__minimum
        draw_simulation(loss, values.assign(above=above.where(above > 0)), "above", look)
        for axes, measure in zip(sizes, _SIZES, strict=True):
            draw_simulation(axes, values, measure, look)
            axes.axhline(values[f"{measure}__minimum"].iloc[0], **YARDSTICK.of_line())
        if gain > 0:
            for measure, (_, of_measure) in _COLLAPSE.items():
                draw_simulation(collapse, values.where(values[measure] > 0), measure, _of_gain(of_measure, gain, gains))
    _logarithmic(loss, _ROUNDING)
    for axes in sizes[1:]:
        _logarithmic(axes, _LEAST_LENGTH)
    _logarithmic(collapse, _ROUNDING)


def _logarithmic(axes: Axes, bottom: float) -> None:
    axes.set_yscale("log")
    axes.set_ylim(bottom=bottom)
