"""Figure: how far trained networks are from the central path, where the classifier is the least-squares classifier."""

import pandas as pd
from matplotlib.figure import Figure

from .style import CLASS_MEANS, CLASSIFIERS, Curve, draw_grid

LOSSES = ("mse",)
READS = "metrics"
CURVES = (
    Curve(r"$\mathcal{L}_{LS}^{\perp}\,/\,\mathcal{L}_{LS}$", "loss_perp_share", CLASS_MEANS),
    Curve(r"$\Vert(W,b)-(W_{LS},b_{LS})\Vert\,/\,\Vert(W_{LS},b_{LS})\Vert$", "classifier_distance", CLASSIFIERS),
)


def draw(table: pd.DataFrame) -> Figure:
    terms = table[table.measure.isin(["loss_perp", "loss_ls"])]
    values = terms.pivot(index=[*table.columns.drop(["measure", "value"])], columns="measure", values="value")
    share = (values.loss_perp / values.loss_ls).rename("value").reset_index().assign(measure="loss_perp_share")
    return draw_grid(pd.concat([table, share]), LOSSES, CURVES, ylabel="distance from the central path", log=True)
