"""Figure: the SNR spectrum of trained networks over epochs, beside Proposition 2 with one fitted time an epoch."""

import pandas as pd
from matplotlib.figure import Figure

from .spectra import with_laws
from .style import CLASS_MEANS, CLASSIFIERS, Curve, draw_grid

LOSSES = ("mse",)
READS = "metrics"
# Each measure has a value for every singular value: the curve is their median, the band their range.
CURVES = (
    Curve("network: median and range of all $\\omega_j$", "snr", CLASS_MEANS),
    Curve("Proposition 2, time fitted", "snr__within", CLASSIFIERS),
)


def draw(table: pd.DataFrame) -> Figure:
    return draw_grid(with_laws(table, ["within"]), LOSSES, CURVES, ylabel=r"SNR singular values $\omega_j$", log=True)
