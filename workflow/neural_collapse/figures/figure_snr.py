"""Figure: the SNR spectrum of trained networks over epochs, beside Proposition 2 with one fitted time an epoch."""

from dataclasses import replace

import pandas as pd
from matplotlib.figure import Figure

from .spectra import with_laws
from .style import CLASS_MEANS, CLASSIFIERS, THIRD, Curve, Look, draw_grid

READS = "metrics"
NEEDS = "mse"
_REGULARISED = replace(THIRD, marker="")
# `snr` has a value for every singular value, so its band reaches from the least to the greatest; it has no line.
CURVES = (
    Curve("", "snr", Look(CLASS_MEANS.color, "", "")),
    Curve(r"network: $\omega_{\max}$ and $\omega_{\min}$, all $\omega_j$ between", "snr_max", CLASS_MEANS),
    Curve("", "snr_min", CLASS_MEANS),
    Curve(r"regularised: $\omega'_{\max}$ and $\omega'_{\min}$", "snr_max__regularised", _REGULARISED),
    Curve("", "snr_min__regularised", _REGULARISED),
    Curve(r"Proposition 2, time fitted: $\omega_{\max}$ and $\omega_{\min}$", "snr_max__within", CLASSIFIERS),
    Curve("", "snr_min__within", CLASSIFIERS),
)


def draw(table: pd.DataFrame) -> Figure:
    return draw_grid(
        with_laws(table, ["within"]), CURVES, ylabel=r"SNR singular values $\omega_j$", log=True, loss=NEEDS
    )
