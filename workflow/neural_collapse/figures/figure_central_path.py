"""Figure: simulated flows on the central path follow Proposition 2 and collapse as corollaries 1 and 2 say."""

import matplotlib
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from .style import CLASS_MEANS, CLASSIFIERS, STYLE, THIRD, Look
from .systems import System, draw_simulation, handle, row_legend, system_grid

LOSSES = ("mse",)
READS = "theory"

_DISTANCES = {
    "etf_distance": (r"SNR$\,/\,\omega_{\max}$, as $t^{-1}$", CLASS_MEANS),
    "features_distance": (r"$X\,/\,\omega_{\max}$, as $t^{-1/4}$", CLASSIFIERS),
}
_COLLAPSE = {
    "nc1": (r"NC1: $\mathrm{Tr}(\Sigma_W\Sigma_B^\dagger)/C$", CLASS_MEANS),
    "max_angle_means": ("NC2: maximal angle", CLASSIFIERS),
    "self_duality": ("NC3: self-duality", THIRD),
    "ncc_mismatch": ("NC4: not the nearest\nclass mean (then 0)", Look("#cc0000", "-", "x")),
}
_ROWS = (r"SNR spectrum $\omega_j$", r"$\omega_{\min}\,/\,\omega_{\max}$", "distance from ETF", "neural collapse")


def draw(table: pd.DataFrame) -> Figure:
    with matplotlib.rc_context(STYLE):
        figure, systems = system_grid(table[table.law == "within"], _ROWS)
        for system in systems:
            _draw_system(system)
        simulated, closed = handle("simulated", marker="o"), handle("Proposition 2", linestyle="-")
        row_legend(systems, 0, [simulated, closed, handle("$(4t/N)^{1/4}$", linestyle=":")])
        row_legend(systems, 1, [simulated, closed])
        row_legend(systems, 2, [_handle(label, look) for label, look in _DISTANCES.values()])
        row_legend(systems, 3, [_handle(label, look) for label, look in _COLLAPSE.values()])
    return figure


def _draw_system(system: System) -> None:
    spectrum, ratio, distance, collapse = system.panels
    values = system.values.loc["within"]
    deviations = []
    for j, color in enumerate(sns.color_palette("viridis_r", system.classes - 1), 1):
        draw_simulation(spectrum, values, f"snr_{j}", Look(color, "-", "o"))
        deviations.append((values[f"snr_{j}"] / values[f"snr_{j}__closed_form"] - 1).abs().max())
    note = f"apart by at most\n{max(deviations):.0e} of $\\omega_j$"
    spectrum.text(0.97, 0.05, note, transform=spectrum.transAxes, ha="right", fontsize=STYLE["xtick.labelsize"])
    spectrum.plot(values.index, (4 * values.index / system.examples_per_class) ** 0.25, ":", color=".35", linewidth=0.9)
    spectrum.set_yscale("log")

    draw_simulation(ratio, values, "snr_ratio", Look(".35", "-", "o"))
    ratio.axhline(1, color=".35", linestyle=":", linewidth=0.9)
    ratio.set_ylim(0, 1.08)

    for measure, (_, look) in _DISTANCES.items():
        draw_simulation(distance, values, measure, look)
    distance.set_yscale("log")

    for measure, (_, look) in _COLLAPSE.items():
        seen = values[measure][values[measure] > 0]
        collapse.plot(seen.index, seen, color=look.color, linestyle=look.linestyle, linewidth=0.9, marker=look.marker,
                      markersize=2.2)  # fmt: skip
    collapse.set_yscale("log")


def _handle(label: str, look: Look):
    return handle(label, color=look.color, linestyle=look.linestyle, marker=look.marker)
