"""Figure 9: networks become more robust when trained beyond zero error."""

import pandas as pd
from matplotlib.figure import Figure

from .style import CLASS_MEANS, NEAREST_OTHER, Curve, draw_grid

LOSSES = ("mse",)
READS = "robustness"
CURVES = (Curve("perturbation that DeepFool finds", "robustness", CLASS_MEANS, split="test"), NEAREST_OTHER)


def draw(table: pd.DataFrame) -> Figure:
    return draw_grid(table, LOSSES, CURVES, ylabel=r"Ave $\Vert r(x)\Vert_2/\Vert x\Vert_2$")
