"""Figure 9: networks become more robust when trained beyond zero error."""

from dataclasses import replace

import pandas as pd
from matplotlib.figure import Figure

from .style import CLASS_MEANS, CLASSIFIERS, NEAREST_OTHER, Curve, draw_grid

READS = "robustness"
_POINTS = replace(CLASSIFIERS, linestyle="", marker="D")
CURVES = (
    Curve("perturbation that DeepFool finds", "robustness", CLASS_MEANS, split="test"),
    Curve("least perturbation found", "robustness__minimum", _POINTS, split="test"),
    NEAREST_OTHER,
)


def draw(table: pd.DataFrame) -> Figure:
    return draw_grid(table, CURVES, ylabel=r"Ave $\Vert r(x)\Vert_2/\Vert x\Vert_2$", log=True)
