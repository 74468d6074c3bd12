"""Figure 10: variability collapse under MSE and under cross entropy."""

import pandas as pd
from matplotlib.figure import Figure

from .style import draw_grid, loss_curves

READS = "metrics"


def draw(table: pd.DataFrame) -> Figure:
    return draw_grid(table, loss_curves(table, "nc1"), ylabel=r"$\mathrm{Tr}(\Sigma_W\Sigma_B^\dagger)/C$", log=True)
