"""Figure 3: class means and classifiers approach equal norms."""

import pandas as pd
from matplotlib.figure import Figure

from .style import CLASS_MEANS, CLASSIFIERS, Curve, draw_grid

READS = "metrics"
CURVES = (Curve("class means", "equinorm_means", CLASS_MEANS), Curve("classifiers", "equinorm_classifier", CLASSIFIERS))


def draw(table: pd.DataFrame) -> Figure:
    return draw_grid(table, CURVES, ylabel="Std of norms / Ave of norms", log=True)
