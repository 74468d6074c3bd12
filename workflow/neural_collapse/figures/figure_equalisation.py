"""Figure: does the SNR spectrum of trained networks equalise as Corollary 1 says, or as other laws do?"""

import pandas as pd
from matplotlib.figure import Figure

from .spectra import with_laws
from .style import CLASS_MEANS, CLASSIFIERS, FOURTH, THIRD, Curve, draw_grid

LOSSES = ("mse",)
READS = "metrics"
CURVES = (
    Curve("network", "snr_ratio", CLASS_MEANS),
    Curve("Proposition 2", "snr_ratio__within", CLASSIFIERS),
    Curve("whitening everything", "snr_ratio__everything", THIRD),
    Curve("no renormalisation", "snr_ratio__nothing", FOURTH),
)


def draw(table: pd.DataFrame) -> Figure:
    laws = [drawn.measure.removeprefix("snr_ratio__") for drawn in CURVES[1:]]
    return draw_grid(with_laws(table, laws), LOSSES, CURVES, ylabel=r"$\omega_{\min}\,/\,\omega_{\max}$", log=True)
