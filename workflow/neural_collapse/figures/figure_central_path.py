"""Figure: simulated flows on the central path follow Proposition 2 and collapse as corollaries 1 and 2 say."""

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from ..metrics.tables import read_systems
from .style import CLASS_MEANS, CLASSIFIERS, FOURTH, STYLE, THIRD, Look
from .systems import System, draw_simulation, handle, row_legend, shades, system_grid

READS = "theory"
read = read_systems

_RATIO = Look(".35", "-", "o")
_LIMIT = Look(".35", ":", "")
_DISTANCES = {
    "etf_distance": (r"SNR$\,/\,\omega_{\max}$, as $t^{-1}$", CLASS_MEANS),
    "features_distance": (r"$X\,/\,\omega_{\max}$, as $t^{-1/4}$", CLASSIFIERS),
}
_COLLAPSE = {
    "nc1": (r"NC1: $\mathrm{Tr}(\Sigma_W\Sigma_B^\dagger)/C$", CLASS_MEANS),
    "max_angle_means": ("NC2: maximal angle", CLASSIFIERS),
    "self_duality": ("NC3: self-duality", THIRD),
    "ncc_mismatch": ("NC4: not the nearest\nclass mean (then 0)", FOURTH),
}
_ROWS = (r"SNR spectrum $\omega_j$", r"$\omega_{\min}\,/\,\omega_{\max}$", "distance from ETF", "neural collapse")


def draw(table: pd.DataFrame) -> Figure:
    with matplotlib.rc_context(STYLE):
        figure, systems = system_grid(table[table.law == "within"], _ROWS)
        for system in systems:
            _draw_system(system)
        for row, looks in enumerate((shades(4), [_RATIO])):
            simulated = tuple(handle(look, linestyle="") for look in looks)
            closed = tuple(handle(look, marker="") for look in looks)
            asymptote = {} if row else {"$(4t/N)^{1/4}$": handle(_LIMIT)}
            row_legend(systems, row, {"simulated": simulated, "Proposition 2": closed} | asymptote)
        row_legend(systems, 2, {label: handle(look) for label, look in _DISTANCES.values()})
        row_legend(systems, 3, {label: handle(look) for label, look in _COLLAPSE.values()})
    return figure


def _draw_system(system: System) -> None:
    spectrum, ratio, distance, collapse = system.panels
    values = system.values.loc["within"]
    deviations = []
    for j, look in enumerate(shades(system.classes - 1), 1):
        draw_simulation(spectrum, values, f"snr_{j}", look)
        deviations.append((values[f"snr_{j}"] / values[f"snr_{j}__closed_form"] - 1).abs().max())
    note = f"apart by at most\n{max(deviations):.0e} of $\\omega_j$"
    spectrum.text(0.97, 0.05, note, transform=spectrum.transAxes, ha="right", fontsize=STYLE["xtick.labelsize"])
    spectrum.plot(values.index, (4 * values.index / system.examples_per_class) ** 0.25, **_LIMIT.of_line())
    spectrum.set_yscale("log")

    draw_simulation(ratio, values, "snr_ratio", _RATIO)
    ratio.axhline(1, **_LIMIT.of_line())
    ratio.set_ylim(0, 1.08)

    for measure, (_, look) in _DISTANCES.items():
        draw_simulation(distance, values, measure, look)
    distance.set_yscale("log")

    for measure, (_, look) in _COLLAPSE.items():
        draw_simulation(collapse, values.where(values[measure] > 0), measure, look)
    collapse.set_yscale("log")
