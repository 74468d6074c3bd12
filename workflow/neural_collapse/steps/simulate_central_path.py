"""Simulate a system's flow on the central path and hold it against the closed form.

Writes one row a value, `system,classes,examples_per_class,features,law,time,measure,index,value`: `law` is what is
renormalised (central_path.LAWS); `index` is j of omega_j, and empty for any other measure.

`snr`                every singular value omega_j of the SNR matrix, the largest first
`snr_ratio`          min_j omega_j / max_j omega_j
`etf_distance`       ‖SNR/omega_max - U_0 V_0^T‖_F / ‖U_0 V_0^T‖_F, from corollary 2's simplex ETF
and of the paper's law alone:
`features_distance`  ‖X/omega_max - (U_0 V_0^T) kron 1^T‖_F / ‖(U_0 V_0^T) kron 1^T‖_F
`covariance_drift`   max |Sigma_W - I|, which the flow should keep at zero
`loss_ls`, `nc1`, `max_angle_means`, `self_duality`, `ncc_mismatch`, of the features and their least-squares classifier

A measure with the suffix `__closed_form` is what theory says where the others were simulated.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from ..central_path import (
    LAWS,
    class_means,
    closed_form,
    initial_features,
    simulate,
    snr_matrix,
    within_class_covariance,
)
from ..decomposition import least_squares_classifier
from ..measures import collapse_measures
from ..storage import write_csv

# Five a decade, from a millionth of the horizon.
_TIMES = np.concatenate([[0.0], np.logspace(-6, 0, 31)])
# Without renormalisation omega grows exponentially: beyond this there is nothing more to see, and soon no float64.
_LARGEST_SNR = 1e3
_COLLAPSE = ("loss_ls", "nc1", "max_angle_means", "self_duality", "ncc_mismatch")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--classes", required=True, type=int, help="C")
    parser.add_argument("--examples-per-class", required=True, type=int, help="N")
    parser.add_argument("--features", required=True, type=int, help="P, at least C - 1")
    parser.add_argument("--spectrum", required=True, nargs="+", type=float, metavar="OMEGA", help="C - 1, at time 0")
    parser.add_argument("--horizon", required=True, type=float, help="the time at which the simulation ends")
    parser.add_argument("--seed", required=True, type=int, help="decides the orientation of the features at time 0")
    parser.add_argument("--output", required=True, type=Path, help="the table to write, .csv; its name is the system's")


def run(options: argparse.Namespace) -> None:
    shape = options.classes, options.examples_per_class, options.features
    start = initial_features(*shape, options.spectrum, options.seed)
    print("C = {}, N = {}, P = {}".format(*shape))
    tables = []
    for law in LAWS:
        values = _simulate(start, options.spectrum, options.horizon, law)
        print(_summary(law, values, options.classes, options.examples_per_class))
        tables.append(values.melt(ignore_index=False).reset_index().assign(law=law))
    table = pd.concat(tables, ignore_index=True).astype({"index": "Int64"})
    table[["system", "classes", "examples_per_class", "features"]] = options.output.stem, *shape
    order = ["system", "classes", "examples_per_class", "features", "law", "time", "measure", "index", "value"]
    write_csv(options.output, table[order])


def _simulate(start: np.ndarray, spectrum: list[float], horizon: float, law: str) -> pd.DataFrame:
    """A row a time, and a column for each measure and index."""
    classes, examples_per_class, width = start.shape
    times = horizon * _TIMES
    theory = closed_form(times, spectrum, classes=classes, examples_per_class=examples_per_class, law=law)
    if law == "nothing":
        shown = theory.max(axis=1) <= _LARGEST_SNR
        times, theory = times[shown], theory[shown]
    theory = -np.sort(-theory, axis=1)
    shortfall = 1 - theory / theory[:, :1]

    states = simulate(start, times, law=law)
    matrices = [snr_matrix(features) for features in states]
    simulated = np.array([np.linalg.svd(matrix, compute_uv=False)[: classes - 1] for matrix in matrices])
    left, _, right = np.linalg.svd(matrices[0], full_matrices=False)
    frame = left[:, : classes - 1] @ right[: classes - 1]

    columns = {("snr", j + 1): simulated[:, j] for j in range(classes - 1)}
    columns |= {("snr__closed_form", j + 1): theory[:, j] for j in range(classes - 1)}
    columns["snr_ratio", None] = simulated[:, -1] / simulated[:, 0]
    columns["snr_ratio__closed_form", None] = theory[:, -1] / theory[:, 0]
    columns["etf_distance", None] = _distances(matrices, simulated[:, 0], frame)
    columns["etf_distance__closed_form", None] = np.sqrt((shortfall**2).mean(axis=1))
    if law == "within":
        noise = classes * width / theory[:, 0] ** 2
        columns["features_distance", None] = _distances(states, simulated[:, 0], frame.T[:, None])
        columns["features_distance__closed_form", None] = np.sqrt(((shortfall**2).sum(1) + noise) / (classes - 1))
        for measure, values in pd.DataFrame(map(_collapse, states)).items():
            columns[measure, None] = values.to_numpy()
    return pd.DataFrame(columns, index=pd.Index(times, name="time")).rename_axis(columns=["measure", "index"])


def _distances(matrices, largest: np.ndarray, limit: np.ndarray) -> list[float]:
    """‖matrix/omega_max - limit‖ / ‖limit‖, the limit repeated for every example where there are several."""
    limits = np.broadcast_to(limit, matrices[0].shape)
    return [
        float(np.linalg.norm(matrix / omega - limits) / np.linalg.norm(limits))
        for matrix, omega in zip(matrices, largest, strict=True)
    ]


def _collapse(features: np.ndarray) -> dict[str, float]:
    classes, examples_per_class, width = features.shape
    covariance = within_class_covariance(features)
    weight, bias = least_squares_classifier(class_means(features), covariance)
    labels = np.repeat(np.arange(classes), examples_per_class)
    measures = collapse_measures(features.reshape(-1, width), labels, weight, bias)
    drift = float(np.abs(covariance - np.eye(width)).max())
    return {"covariance_drift": drift} | {measure: measures[measure] for measure in _COLLAPSE}


def _summary(law: str, values: pd.DataFrame, classes: int, examples_per_class: int) -> str:
    """How far simulation and theory agree, in a line or a few."""
    deviation = (values["snr"] / values["snr__closed_form"] - 1).abs().to_numpy().max()
    horizon, last = values.index[-1], values.iloc[-1]
    lines = [
        f"law {law!r}: simulated to t = {horizon:.3g}; max |omega_j / closed form - 1| = {deviation:.1e}; "
        f"min/max omega_j from {values['snr_ratio'].iloc[0].item():.3f} to {values['snr_ratio'].iloc[-1].item():.6f}"
    ]
    if law == "within":
        scale = values.index / examples_per_class / classes**2
        rates = values["snr"].div((4 * values.index / examples_per_class) ** 0.25, axis=0)[scale > 2500]
        lines.append(f"  max |Sigma_W - I| = {values['covariance_drift'].to_numpy().max():.1e}")
        for when, rate in list(zip(scale[scale > 2500], rates.to_numpy(), strict=True))[:: max(1, len(rates) - 1)]:
            low, high = rate.min(), rate.max()
            lines.append(f"  corollary 1: omega_j / (4t/N)^(1/4) from {low:.4f} to {high:.4f} at t/N = {when:.3g} C^2")
        lines.append(
            f"  corollary 2: SNR/omega_max is {last['etf_distance'].item():.3e} from U_0 V_0^T, "
            f"{last['etf_distance__closed_form'].item():.3e} by proposition 2"
        )
    return "\n".join(lines)
