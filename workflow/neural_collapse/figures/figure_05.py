"""Figure 5: the angles approach the greatest equal angle, of cosine -1/(C-1)."""

import pandas as pd
from matplotlib.figure import Figure

from .style import CLASS_MEANS, CLASSIFIERS, Curve, draw_grid

READS = "metrics"
CURVES = (
    Curve("class means", "max_angle_means", CLASS_MEANS),
    Curve("classifiers", "max_angle_classifier", CLASSIFIERS),
)


def draw(table: pd.DataFrame) -> Figure:
    return draw_grid(table, CURVES, ylabel=r"Ave $|\cos + 1/(C-1)|$", log=True)
