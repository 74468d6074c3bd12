"""Figure 7: features collapse to their class means (variability collapse, NC1)."""

import pandas as pd
from matplotlib.figure import Figure

from .style import CLASS_MEANS, Curve, draw_grid

READS = "metrics"
CURVES = (Curve("within-class variation", "nc1", CLASS_MEANS),)


def draw(table: pd.DataFrame) -> Figure:
    return draw_grid(table, CURVES, ylabel=r"$\mathrm{Tr}(\Sigma_W\Sigma_B^\dagger)/C$", log=True)
