"""Figure 2: the MSE loss taken apart into activation collapse, ETF structure and deviation from least squares."""

import pandas as pd
from matplotlib.figure import Figure

from .style import CLASS_MEANS, CLASSIFIERS, THIRD, TOTAL, Curve, Look, draw_grid

READS = "metrics"
NEEDS = "mse"
_PART = Look(CLASS_MEANS.color, (0, (1, 1.5)), "", linewidth=0.8)
CURVES = (
    Curve(r"$\mathcal{L}$", "loss", TOTAL),
    Curve(r"$\mathcal{L}_{NC1}$", "loss_nc1", CLASS_MEANS),
    Curve(r"$\mathcal{L}_{NC1}$ without weight decay", "loss_nc1_within", _PART),
    Curve(r"$\mathcal{L}_{NC2/3}$", "loss_nc23", CLASSIFIERS),
    Curve(r"$\mathcal{L}_{LS}^{\perp}$", "loss_perp", THIRD),
)


def draw(table: pd.DataFrame) -> Figure:
    return draw_grid(table, CURVES, ylabel="MSE loss and its terms", log=True, loss=NEEDS)
