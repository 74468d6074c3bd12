"""Figure 4: the angles between class means, and between classifiers, approach equality."""

import pandas as pd
from matplotlib.figure import Figure

from .style import CLASS_MEANS, CLASSIFIERS, Curve, draw_grid

READS = "metrics"
CURVES = (
    Curve("class means", "equiangularity_means", CLASS_MEANS),
    Curve("classifiers", "equiangularity_classifier", CLASSIFIERS),
)


def draw(table: pd.DataFrame) -> Figure:
    return draw_grid(table, CURVES, ylabel="Std of cosines", log=True)
