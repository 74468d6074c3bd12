"""Figure: what is renormalised decides the law of the SNR spectrum, and whether it ends in a simplex ETF."""

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from ..metrics.tables import read_systems
from .style import CLASS_MEANS, CLASSIFIERS, STYLE, THIRD, TOTAL
from .systems import System, draw_simulation, handle, row_legend, system_grid, unfilled

READS = "theory"
read = read_systems
_LAWS = {
    "within": ("within-class part\n(the paper: $t^{1/4}$)", CLASS_MEANS),
    "everything": ("everything ($t^{1/2}$)", CLASSIFIERS),
    "nothing": ("nothing ($e^t$, each\nat its own rate)", THIRD),
}
_ROWS = (r"$\omega_{\max}$ and $\omega_{\min}$", r"$\omega_{\min}\,/\,\omega_{\max}$")


def draw(table: pd.DataFrame) -> Figure:
    with matplotlib.rc_context(STYLE):
        figure, systems = system_grid(table, _ROWS)
        for system in systems:
            _draw_system(system)
        looks = [look for _, look in _LAWS.values()]
        heading = {"renormalised:": handle(TOTAL, linestyle="")}
        row_legend(systems, 0, heading | {label: handle(look) for label, look in _LAWS.values()})
        row_legend(systems, 1, {
            r"$\omega_{\max}$, simulated": tuple(handle(look, linestyle="") for look in looks),
            "$\\omega_{\\min}$, and its\nratio to $\\omega_{\\max}$": tuple(
                handle(unfilled(look), linestyle="") for look in looks
            ),
            "closed form": tuple(handle(look, marker="") for look in looks),
        })  # fmt: skip
    return figure


def _draw_system(system: System) -> None:
    spectrum, ratio = system.panels
    for law, (_, look) in _LAWS.items():
        values = system.values.loc[law]
        draw_simulation(spectrum, values, "snr_1", look)
        draw_simulation(spectrum, values, f"snr_{system.classes - 1}", unfilled(look))
        draw_simulation(ratio, values, "snr_ratio", unfilled(look))
    spectrum.set_yscale("log")
    ratio.axhline(1, color=".35", linestyle=":", linewidth=0.9)
    ratio.set_ylim(0, 1.08)
