"""Simulate a system's flow on the central path and hold it against the closed form.

Writes one row a value, with the columns `system,classes,examples_per_class,features,law,time,measure,value`. The laws
are those of central_path.LAWS, for what is renormalised. Under each:

`snr_1`, `snr_2`, ...  omega_1 >= omega_2 >= ..., the singular values of the SNR matrix
`snr_ratio`            min_j omega_j / max_j omega_j
`etf_distance`         ‖SNR/omega_max - U_0 V_0^T‖_F / ‖U_0 V_0^T‖_F, from corollary 2's simplex ETF
and of the paper's law alone:
`features_distance`    ‖X/omega_max - (U_0 V_0^T) kron 1^T‖_F / ‖(U_0 V_0^T) kron 1^T‖_F
`covariance_drift`     max |Sigma_W - I|, which the flow should keep at zero
`loss_ls`, `nc1`, `max_angle_means`, `self_duality`, `ncc_mismatch`, of the features and their least-squares classifier

A measure with the suffix `__closed_form` is what theory says where the others were simulated.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from ..metrics.decomposition import least_squares_classifier
from ..metrics.tables import SYSTEM_COLUMNS
from ..storage import write_csv
from ..theory.central_path import (
    LAWS,
    class_means,
    closed_form,
    initial_features,
    simulate,
    snr_matrix,
    within_class_covariance,
)
from ._options import setting

_TIMES = 31
# Without renormalisation omega grows exponentially: beyond this factor there is nothing more to see.
_LARGEST_GROWTH = 1e4


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--classes", required=True, type=setting("system", "classes"), help="C")
    parser.add_argument("--examples-per-class", required=True, type=setting("system", "examples_per_class"), help="N")
    parser.add_argument("--features", required=True, type=setting("system", "features"), help="P, at least C - 1")
    parser.add_argument(
        "--spectrum", required=True, nargs="+", type=setting("singular_value"), metavar="OMEGA", help="C - 1, at time 0"
    )
    parser.add_argument(
        "--horizon", required=True, type=setting("system", "horizon"), help="the time at which the simulation ends"
    )
    parser.add_argument(
        "--seed", required=True, type=setting("seed"), help="decides the orientation of the features at time 0"
    )
    parser.add_argument("--output", required=True, type=Path, help="the table to write, .csv; its name is the system's")


def run(options: argparse.Namespace) -> None:
    shape = options.classes, options.examples_per_class, options.features
    start = initial_features(*shape, options.spectrum, options.seed)
    print("C = {}, N = {}, P = {}".format(*shape))
    tables = []
    for law in LAWS:
        values = _simulate(start, options.spectrum, options.horizon, law)
        print(_summary(law, values, options.classes, options.examples_per_class))
        tables.append(values.melt(var_name="measure", ignore_index=False).reset_index().assign(law=law))
    table = pd.concat(tables, ignore_index=True)
    table[["system", "classes", "examples_per_class", "features"]] = options.output.stem, *shape
    write_csv(options.output, table[SYSTEM_COLUMNS])


def _simulate(start: np.ndarray, spectrum: list[float], horizon: float, law: str) -> pd.DataFrame:
    """A row a time, and a column a measure."""
    classes, examples_per_class, width = start.shape
    constants = {"classes": classes, "examples_per_class": examples_per_class, "law": law}
    times = _times(horizon, decades=6)
    if law == "nothing":
        rates = np.log(closed_form([1.0], spectrum, **constants)[0] / spectrum)
        times = _times(min(horizon, np.log(_LARGEST_GROWTH) / rates.max()), decades=2)
    theory = closed_form(times, spectrum, **constants)
    theory = -np.sort(-theory, axis=1)
    shortfall = 1 - theory / theory[:, :1]

    states = simulate(start, times, law=law)
    matrices = np.array([snr_matrix(features) for features in states])
    left, simulated, right = np.linalg.svd(matrices, full_matrices=False)
    simulated = simulated[:, : classes - 1]
    frame = left[0, :, : classes - 1] @ right[0, : classes - 1]

    values = {f"snr_{j + 1}": simulated[:, j] for j in range(classes - 1)}
    values |= {f"snr_{j + 1}__closed_form": theory[:, j] for j in range(classes - 1)}
    values["snr_ratio"] = simulated[:, -1] / simulated[:, 0]
    values["snr_ratio__closed_form"] = theory[:, -1] / theory[:, 0]
    values["etf_distance"] = _distances(matrices, simulated[:, 0], frame)
    values["etf_distance__closed_form"] = np.sqrt((shortfall**2).mean(axis=1))
    if law == "within":
        noise = classes * width / theory[:, 0] ** 2
        values["features_distance"] = _distances(states, simulated[:, 0], frame.T[:, None])
        values["features_distance__closed_form"] = np.sqrt(((shortfall**2).sum(axis=1) + noise) / (classes - 1))
        values |= pd.DataFrame(map(_collapse, states)).to_dict("list")
    return pd.DataFrame(values, index=pd.Index(times, name="time"))


def _times(horizon: float, decades: int) -> np.ndarray:
    """0, and times up to the horizon, evenly spaced on a logarithmic axis."""
    return np.concatenate([[0.0], horizon * np.logspace(-decades, 0, _TIMES)])


def _distances(matrices: np.ndarray, largest: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """‖matrix/omega_max - limit‖ / ‖limit‖ at each time, the limit repeated for every example where there are any."""
    limit = np.broadcast_to(limit, matrices.shape[1:])
    distances = [np.linalg.norm(matrix / omega - limit) for matrix, omega in zip(matrices, largest, strict=True)]
    return distances / np.linalg.norm(limit)


def _collapse(features: np.ndarray) -> dict[str, float]:
    """Written down once more, with their definitions for features such as these: a new measure is none of theirs."""
    classes, _, width = features.shape
    means, covariance = class_means(features), within_class_covariance(features)
    weight, bias = least_squares_classifier(means, covariance)
    centred = means - means.mean(axis=0)
    _, scale, axes = np.linalg.svd(centred / np.sqrt(classes), full_matrices=False)
    scale, axes = scale[: classes - 1], axes[: classes - 1]
    directions = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    cosines = (directions @ directions.T)[~np.eye(classes, dtype=bool)]
    duality = weight / np.linalg.norm(weight) - centred / np.linalg.norm(centred)
    scores = features @ weight.T + bias
    nearest = np.linalg.norm(features[:, :, None] - means, axis=3).argmin(axis=2)
    return {
        "covariance_drift": float(np.abs(covariance - np.eye(width)).max()),
        "loss_ls": float(((scores - np.eye(classes)[:, None]) ** 2).sum(axis=2).mean() / 2),
        "nc1": float((((axes @ covariance) * axes).sum(axis=1) / scale**2).sum() / classes),
        "max_angle_means": float(np.abs(cosines + 1 / (classes - 1)).mean()),
        "self_duality": float((duality**2).sum()),
        "ncc_mismatch": float((scores.argmax(axis=2) != nearest).mean()),
    }


def _summary(law: str, values: pd.DataFrame, classes: int, examples_per_class: int) -> str:
    """How far simulation and theory agree, in a line or a few."""
    spectra = values.filter(regex=r"^snr_\d+$")
    closed = values.filter(regex=r"^snr_\d+__closed_form$")
    deviation = np.abs(spectra.to_numpy() / closed.to_numpy() - 1).max()
    first, last, horizon = values.iloc[0], values.iloc[-1], values.index[-1]
    lines = [
        f"renormalising {law}, to t = {horizon:.3g}: max |omega_j / closed form - 1| = {deviation:.1e}; "
        f"min/max omega from {first.snr_ratio:.3f} to {last.snr_ratio:.6f}"
    ]
    if law != "within":
        return lines[0]
    lines.append(f"  max |Sigma_W - I| = {values.covariance_drift.max():.1e}")
    late = values.index / examples_per_class > 2500 * classes**2
    for time, spectrum in spectra[late].iloc[[0, -1] if late.any() else []].iterrows():
        scaled = spectrum / (4 * time / examples_per_class) ** 0.25
        lines.append(
            f"  corollary 1, at t/N = {time / examples_per_class / classes**2:.0f} C^2: "
            f"omega_j / (4t/N)^(1/4) from {scaled.min():.4f} to {scaled.max():.4f}"
        )
    lines.append(
        f"  corollary 2: ‖SNR/omega_max - U_0 V_0^T‖ is {last.etf_distance:.3e} of ‖U_0 V_0^T‖, "
        f"{last.etf_distance__closed_form:.3e} by proposition 2"
    )
    return "\n".join(lines)
