"""Figure 8: the classifier comes to decide for the nearest class mean (NC4)."""

import pandas as pd
from matplotlib.figure import Figure

from .style import CLASS_MEANS, THIRD, Curve, Look, draw_grid

READS = "metrics"
# The two often coincide: that of the test images lies on top, and leaves the broader one to be seen.
CURVES = (
    Curve("train images", "ncc_mismatch", Look(THIRD.color, "-", "", linewidth=2), split="train"),
    Curve("test images", "ncc_mismatch", Look(CLASS_MEANS.color, "-", "o", filled=False), split="test"),
)


def draw(table: pd.DataFrame) -> Figure:
    return draw_grid(table, CURVES, ylabel="mismatch with nearest class mean")
