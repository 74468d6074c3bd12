"""Figure: how large the global mean of the features is beside their class means (assumption A2 sets it to zero)."""

import pandas as pd
from matplotlib.figure import Figure

from .style import CLASS_MEANS, Curve, draw_grid

READS = "metrics"
CURVES = (Curve("global mean over class means", "global_mean_ratio", CLASS_MEANS),)


def draw(table: pd.DataFrame) -> Figure:
    return draw_grid(table, CURVES, ylabel=r"$\Vert\mu_G\Vert\,/\,$Ave$_c\,\Vert\mu_c-\mu_G\Vert$", log=True)
