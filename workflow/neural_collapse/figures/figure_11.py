"""Figure 11: adversarial robustness under MSE and under cross entropy."""

import pandas as pd
from matplotlib.figure import Figure

from .style import NEAREST_OTHER, draw_grid, loss_curves

LOSSES = ("mse", "ce")
READS = "robustness"
CURVES = (*loss_curves("robustness", split="test"), NEAREST_OTHER)


def draw(table: pd.DataFrame) -> Figure:
    return draw_grid(table, LOSSES, CURVES, ylabel=r"Ave $\Vert r(x)\Vert_2/\Vert x\Vert_2$", log=True)
