"""Figure 8: the classifier comes to decide for the nearest class mean (NC4)."""

import pandas as pd
from matplotlib.figure import Figure

from .style import CLASS_MEANS, THIRD, Curve, draw_grid

LOSSES = ("mse",)
READS = "metrics"
CURVES = (
    Curve("test images", "ncc_mismatch", CLASS_MEANS, split="test"),
    Curve("train images", "ncc_mismatch", THIRD, split="train"),
)


def draw(table: pd.DataFrame) -> Figure:
    return draw_grid(table, LOSSES, CURVES, ylabel="mismatch with nearest class mean")
