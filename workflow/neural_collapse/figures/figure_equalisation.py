"""Whether the SNR spectrum of trained networks equalises as Corollary 1 says, or as other laws do."""

from dataclasses import replace

import pandas as pd
from matplotlib.figure import Figure

from .spectra import with_laws
from .style import CLASS_MEANS, CLASSIFIERS, FOURTH, THIRD, Curve, draw_grid

READS = "metrics"
NEEDS = "mse"
LAWS = ("within", "everything", "nothing")
_REGULARISED = replace(CLASS_MEANS, linestyle=(0, (5, 1)), filled=False)
CURVES = (
    Curve("network", "snr_ratio", CLASS_MEANS),
    Curve("network, regularised", "snr_regularised_ratio", _REGULARISED),
    Curve("Proposition 2", "snr_ratio__within", CLASSIFIERS),
    Curve("whitening everything", "snr_ratio__everything", THIRD),
    Curve("no renormalisation", "snr_ratio__nothing", FOURTH),
)


def draw(table: pd.DataFrame) -> Figure:
    return draw_grid(with_laws(table, LAWS), CURVES, ylabel=r"$\omega_{\min}\,/\,\omega_{\max}$", log=True, loss=NEEDS)
