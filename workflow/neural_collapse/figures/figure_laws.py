"""Figure: what is renormalised decides the law of the SNR spectrum, and whether it ends in a simplex ETF."""

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from .style import CLASS_MEANS, CLASSIFIERS, STYLE, THIRD
from .systems import System, draw_simulation, handle, row_legend, system_grid

LOSSES = ("mse",)
READS = "theory"
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
        laws = [handle(label, color=look.color, linestyle=look.linestyle, marker=look.marker)
                for label, look in _LAWS.values()]  # fmt: skip
        row_legend(systems, 0, [handle("renormalised:"), *laws])
        row_legend(systems, 1, [handle("simulated", marker="o"), handle("closed form", linestyle="-")])
    return figure


def _draw_system(system: System) -> None:
    spectrum, ratio = system.panels
    for law, (_, look) in _LAWS.items():
        values = system.values.loc[law]
        for j in (1, system.classes - 1):
            draw_simulation(spectrum, values, f"snr_{j}", look)
        draw_simulation(ratio, values, "snr_ratio", look)
    spectrum.set_yscale("log")
    ratio.axhline(1, color=".35", linestyle=":", linewidth=0.9)
    ratio.set_ylim(0, 1.08)
