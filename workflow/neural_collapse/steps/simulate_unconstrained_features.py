"""Follow the gradient flow of unconstrained features, and hold it against their global minimum.

Writes one row a value, with the columns `system,classes,examples_per_class,features,law,time,measure,value`. The
systems are `bias` and `no_bias`; a law is how features are decayed, such as `feature_decay_0.01`. C² N lambda_W is 1,
so that the gain at the minimum is 1 - sqrt(lambda_H), or 0 where decay wins. With t_c = e_c - 1/C, or e_c without bias,
of which W h is a multiple at the minimum:

`loss`          L of unconstrained_features
`gain`          Ave_{i,c} <W h + b, t_c> / ‖t_c‖², the slope of the logits over the targets
`weight`        the root mean square of the lengths of W's rows
`feature`       the same of the features
and unless the minimum is zero:
`nc1`           Tr(Sigma_W Sigma_B^+)/C
`frame_error`   ‖M^T M/‖M^T M‖_F - T/‖T‖_F‖_F, the columns of M the class means, of T the t_c: NC2
`self_duality`  ‖W^T/‖W‖_F - M/‖M‖_F‖_F²: NC3

A measure with the suffix `__minimum` is that of the global minimum.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from ..features.moments import class_moments
from ..metrics.measures import variability_collapse
from ..metrics.tables import SYSTEM_COLUMNS
from ..storage import write_csv
from ..theory.unconstrained_features import Point, global_minimum, gradient_flow, random_point, unconstrained_loss

_SHAPE = (5, 4, 6)  # C, N, P
_WEIGHT_DECAY = 0.01
_FEATURE_DECAYS = (0.01, 0.25, 1.44)  # gains of 0.9, 0.5 and 0
_TIMES = np.logspace(-1, 4, 31)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", required=True, type=Path, help="the table to write (CSV)")


def run(options: argparse.Namespace) -> None:
    tables = []
    for system, bias in (("bias", True), ("no_bias", False)):
        for decay in _FEATURE_DECAYS:
            values = _simulate(decay, bias)
            print(_summary(system, decay, values))
            values = values.melt(var_name="measure", ignore_index=False).reset_index()
            tables.append(values.assign(system=system, law=f"feature_decay_{decay:g}"))
    table = pd.concat(tables, ignore_index=True)
    table[["classes", "examples_per_class", "features"]] = _SHAPE
    write_csv(options.output, table[SYSTEM_COLUMNS])


def _simulate(decay: float, bias: bool) -> pd.DataFrame:
    """A row a time, and a column a measure."""
    minimum = global_minimum(*_SHAPE[:2], _WEIGHT_DECAY, decay, bias=bias)
    rows = []
    for point in _points(decay, bias):
        rows.append({"loss": unconstrained_loss(point, _WEIGHT_DECAY, decay)} | _sizes(point))
        if minimum.gain > 0:
            rows[-1] |= _collapse(point)
    values = pd.DataFrame(rows, index=pd.Index([0.0, *_TIMES], name="time"))
    return values.assign(**{f"{measure}__minimum": float(value) for measure, value in minimum._asdict().items()})


def _points(decay: float, bias: bool) -> Iterator[Point]:
    """The start, and where the flow is at each of the times: it hasn't far to go from one to the next."""
    point = random_point(*_SHAPE, seed=0, bias=bias)
    yield point
    for passed in np.diff(_TIMES, prepend=0.0):
        point = gradient_flow(point, passed, _WEIGHT_DECAY, decay)
        yield point


def _targets(point: Point) -> np.ndarray:
    """The t_c as rows."""
    classes = len(point.weight)
    return np.eye(classes) - (0.0 if point.bias is None else 1 / classes)


def _sizes(point: Point) -> dict[str, float]:
    logits = point.features @ point.weight.T + (0.0 if point.bias is None else point.bias)
    targets = _targets(point)
    return {
        "gain": float(np.vecdot(logits.mean(axis=1), targets).sum() / (targets**2).sum()),
        "weight": _root_mean_square(point.weight),
        "feature": _root_mean_square(point.features),
    }


def _root_mean_square(vectors: np.ndarray) -> float:
    return float(np.sqrt((vectors**2).sum(axis=-1).mean()))


def _collapse(point: Point) -> dict[str, float]:
    classes, examples_per_class, width = point.features.shape
    labels = np.repeat(np.arange(classes), examples_per_class)
    moments = class_moments(point.features.reshape(-1, width), labels, classes)
    means, targets = moments.class_means, _targets(point)
    gram = means @ means.T
    return {
        "nc1": variability_collapse(moments),
        "frame_error": float(np.linalg.norm(gram / np.linalg.norm(gram) - targets / np.linalg.norm(targets))),
        "self_duality": float(
            ((point.weight / np.linalg.norm(point.weight) - means / np.linalg.norm(means)) ** 2).sum()
        ),
    }


def _summary(system: str, decay: float, values: pd.DataFrame) -> str:
    """How far the end of the flow and the minimum agree."""
    last = values.iloc[-1]
    apart = ", ".join(
        f"{measure} {last[measure]:.6f} ({last[measure] - last[f'{measure}__minimum']:+.0e})"
        for measure in ("loss", "gain", "weight", "feature")
    )
    return f"{system}, lambda_H = {decay:g}, at t = {values.index[-1]:g} (beside the minimum): {apart}"
