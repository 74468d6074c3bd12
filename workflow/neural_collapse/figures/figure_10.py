"""Figure 10: variability collapse under MSE and under cross entropy."""

import pandas as pd
from matplotlib.figure import Figure

from .style import draw_grid, loss_curves

LOSSES = ("mse", "ce")
READS = "metrics"
CURVES = loss_curves("nc1")


def draw(table: pd.DataFrame) -> Figure:
    return draw_grid(table, LOSSES, CURVES, ylabel=r"$\mathrm{Tr}(\Sigma_W\Sigma_B^\dagger)/C$", log=True)
