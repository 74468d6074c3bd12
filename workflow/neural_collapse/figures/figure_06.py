"""Figure 6: the classifiers approach the class means (self-duality, NC3)."""

import pandas as pd
from matplotlib.figure import Figure

from .style import CLASS_MEANS, Curve, draw_grid

READS = "metrics"
CURVES = (Curve("classifiers and class means", "self_duality", CLASS_MEANS),)


def draw(table: pd.DataFrame) -> Figure:
    return draw_grid(
        table, CURVES, ylabel=r"$\Vert W^\top/\Vert W\Vert_F - \dot M/\Vert\dot M\Vert_F\Vert_F^2$", log=True
    )
