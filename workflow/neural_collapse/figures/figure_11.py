"""Figure 11: adversarial robustness under each loss."""

import pandas as pd
from matplotlib.figure import Figure

from .style import NEAREST_OTHER, draw_grid, loss_curves

READS = "robustness"


def draw(table: pd.DataFrame) -> Figure:
    curves = [
        *loss_curves(table, "robustness", "test"),
        *loss_curves(table, "robustness__minimum", "test", points="least perturbation found"),
        NEAREST_OTHER,
    ]
    return draw_grid(table, curves, ylabel=r"Ave $\Vert r(x)\Vert_2/\Vert x\Vert_2$", log=True)
