"""Figure: how far trained networks are from the central path, where the classifier is the least-squares classifier."""

from dataclasses import replace

import pandas as pd
from matplotlib.figure import Figure

from .style import CLASS_MEANS, CLASSIFIERS, FOURTH, THIRD, Curve, draw_grid

READS = "metrics"
NEEDS = "mse"
CURVES = (
    Curve(r"$\mathcal{L}_{LS}^{\perp}\,/\,\mathcal{L}_{LS}$", "loss_perp_share", CLASS_MEANS),
    Curve(r"$\Vert(W,b)-(W_{LS},b_{LS})\Vert\,/\,\Vert(W_{LS},b_{LS})\Vert$", "classifier_distance", CLASSIFIERS),
    Curve("its part in the span of class means", "distance_in_span", THIRD),
    Curve("its part outside", "distance_outside_span", replace(FOURTH, linestyle="", filled=False)),
)


def draw(table: pd.DataFrame) -> Figure:
    terms = table[table.measure.isin(["loss_perp", "loss_ls"])]
    values = terms.pivot(index=[*table.columns.drop(["measure", "value"])], columns="measure", values="value")
    values = values.reindex(columns=["loss_perp", "loss_ls"])
    share = (values.loss_perp / values.loss_ls).rename("value").reset_index().assign(measure="loss_perp_share")
    return draw_grid(pd.concat([table, share]), CURVES, ylabel="distance from the central path", log=True, loss=NEEDS)
