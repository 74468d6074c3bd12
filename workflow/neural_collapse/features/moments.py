"""What is kept of a set of features: moments in float64, and a few numbers that need every single example.

A covariance Sigma = Q diag(ev) Q^T is kept as its eigenvalues `ev` where everything else is given in the coordinates
along its eigenvectors, x -> Q^T x: no measure of neural collapse changes under a rotation of the features.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..storage import read_arrays, write_arrays
from .products import add_squares, product


@dataclass(frozen=True, eq=False)
class Moments:
    """First and second moments of the features of C classes, float64; every class weighs the same.

    class_means: mu_c, (C, P).
    within_class_covariance: Sigma_W = Ave_c Ave_i (h - mu_c)(h - mu_c)^T, (P, P); or its eigenvalues (P,), with the
        class means in the coordinates along its eigenvectors.
    class_variances: v_c = Ave_i ‖h - mu_c‖², (C,); their mean is the trace of Sigma_W.
    """

    class_means: np.ndarray
    within_class_covariance: np.ndarray
    class_variances: np.ndarray


@dataclass(frozen=True, eq=False)
class Sample:
    """Some examples as seen in the span of class means and classifier rows, for portraits: d = min(2 C, P) axes.

    For whoever draws them from `read_snapshots`: no measure needs it, because their margins are taken of every example.

    examples: places in the data set, (n,) int64; labels: (n,) int64.
    coordinates: of h - mu_G, (n, d); distances: ‖h - mu_G‖ outside the span, (n,).
    class_means: of mu_c - mu_G, (C, d); weight: of w_c, (C, d).
    """

    examples: np.ndarray
    labels: np.ndarray
    coordinates: np.ndarray
    distances: np.ndarray
    class_means: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True, eq=False)
class Layer:
    """Pooled activations of one layer: their moments (spectral), and their NCC mismatch with the network."""

    moments: Moments
    ncc_mismatch: float


@dataclass(frozen=True, eq=False)
class BatchStatistics:
    """The features as training sees them, batch norm by the statistics of each batch: moments (spectral).

    weight: W (C, P), in the same coordinates.
    """

    moments: Moments
    weight: np.ndarray


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One split of a data set as one network sees it: all that the measures need, for any weight decay.

    class_counts: (C,) int64.
    moments: spectral, and in the same coordinates `weight` (C, P); bias: (C,), None for a classifier without.
    train_means: the train split's class means (C, P), in the same coordinates again; None where this is that split.
    examples: the measures of `example_measures`, their centres the class means of the train split.
    class_losses: mean over each class of the loss trained on, without weight decay, (C,).
    layers: by name; empty where they weren't asked for.
    batch_statistics: of the train split, where they were asked for and the network has batch norm.
    """

    class_counts: np.ndarray
    moments: Moments
    weight: np.ndarray
    examples: dict[str, float]
    class_losses: np.ndarray
    sample: Sample
    bias: np.ndarray | None = None
    train_means: np.ndarray | None = None
    layers: dict[str, Layer] = field(default_factory=dict)
    batch_statistics: BatchStatistics | None = None


def class_moments(features: np.ndarray, labels: np.ndarray, classes: int) -> Moments:
    """Moments of features (N, P), any real dtype, in memory, in two centred passes; labels (N,) in 0..classes-1.

    Beside the features it needs the memory of one P x P matrix and of some rows. Every class needs an example.
    """
    counts = np.bincount(labels, minlength=classes)
    sums = np.zeros((classes, features.shape[1]))
    for rows, chunk in _chunks(features):
        sums += product(np.eye(classes)[labels[rows]].T, chunk)
    means = sums / counts[:, None]

    covariance = np.zeros((features.shape[1],) * 2, order="F")
    squares = np.zeros(classes)
    scale = 1 / np.sqrt(classes * counts)
    for rows, residuals in _chunks(features):
        residuals -= means[labels[rows]]
        squares += np.bincount(labels[rows], _squared_norms(residuals), minlength=classes)
        residuals *= scale[labels[rows], None]
        covariance = add_squares(covariance, residuals)
    for row in range(1, len(covariance)):
        covariance[row, :row] = covariance[:row, row]
    return Moments(means, covariance, squares / counts)


def example_measures(
    features: np.ndarray, labels: np.ndarray, centres: np.ndarray, weight: np.ndarray, bias: np.ndarray
) -> dict[str, float]:
    """The measures that every example decides for itself.

    Parameters
    ----------
    features: (N, P), any real dtype; labels: (N,) int.
    centres: (C, P), class means: those of the train set, for either split.
    weight, bias: W (C, P), b (C,).

    Returns
    -------
    `error`              share of examples with argmax_c(<w_c, h> + b_c) != label
    `ncc_mismatch`       share of examples with argmax_c(<w_c, h> + b_c) != argmin_c ‖h - centre_c‖ (PHD, NC4)
    `cosine_margin`      mean over classes of the mean over the class's examples of
                         cos(h - g, w_label) - max_{c != label} cos(h - g, w_c), with g the centres' mean: the
                         sample margin of Zhou et al. (arXiv 2206.11589), centred; C/(C-1) at collapse
    `cosine_margin_min`  the smallest of them
    """
    classes = len(weight)
    centre = centres.mean(0)
    norms = np.linalg.norm(weight, axis=1)
    wrong = mismatched = 0
    margins = np.empty(len(features))
    for rows, centred in _chunks(features):
        centred -= centre
        truth = labels[rows]
        scores = product(centred, weight.T)
        decided = (scores + (weight @ centre + bias)).argmax(1)
        wrong += np.count_nonzero(decided != truth)
        mismatched += np.count_nonzero(decided != _nearest(centred, centres - centre))
        with np.errstate(divide="ignore", invalid="ignore"):
            cosines = scores / norms / np.sqrt(_squared_norms(centred))[:, None]
        own = cosines[np.arange(len(truth)), truth]
        cosines[np.arange(len(truth)), truth] = -np.inf
        margins[rows] = own - cosines.max(1)
    class_margins = np.bincount(labels, margins, minlength=classes) / np.bincount(labels, minlength=classes)
    return {
        "error": wrong / len(features),
        "ncc_mismatch": mismatched / len(features),
        "cosine_margin": float(class_margins.mean()),
        "cosine_margin_min": float(margins.min()),
    }


def nearest_centres(features: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """argmin_c ‖h - centre_c‖, (N,) int64, of features (N, P), any real dtype, and centres (C, P)."""
    centre = centres.mean(0)
    return np.concatenate([_nearest(chunk - centre, centres - centre) for _, chunk in _chunks(features)])


def _nearest(centred: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """argmin_c ‖h - centre_c‖ of features and centres about the same point near both, where no digits cancel."""
    return (product(centred, centres.T) - (centres**2).sum(1) / 2).argmax(1)


def write_snapshots(path: str | Path, epochs: list[int], snapshots: dict[str, list[Snapshot]]) -> None:
    """Write each split's snapshots, one an epoch, as one safetensors file: every array stacked over the epochs."""
    arrays = {"epochs": np.array(epochs)}
    for split, series in snapshots.items():
        flat = [_flatten(dataclasses.asdict(snapshot), split) for snapshot in series]
        arrays |= {name: np.stack([one[name] for one in flat]) for name in flat[0]}
    write_arrays(path, arrays)


_LARGEST = 1e77  # the square of the largest float32


def read_snapshots(path: str | Path) -> Iterator[tuple[int, str, Snapshot]]:
    """Give epoch, split ("train", "test") and snapshot, in that order.

    Raises
    ------
    InputError
        Where the file is no such.
    """
    arrays = read_arrays(path)
    if "epochs" not in arrays:
        raise InputError(
            f"{path}: not the features of a run; make them with `python -m neural_collapse extract-features`."
        )
    for name, array in arrays.items():
        # A margin is no number where a class has no direction; nothing else may be.
        if "cosine_margin" not in name and not (np.abs(array) < _LARGEST).all():
            raise InputError(f"{path}: {name} holds what no network's features give; make the file again.")
    try:
        for i, epoch in enumerate(arrays.pop("epochs")):
            tree = _nest({name: stack[i] for name, stack in arrays.items()})
            for split in ("train", "test"):
                yield int(epoch), split, _snapshot(tree[split])
    except (KeyError, IndexError, TypeError, AttributeError, ValueError):
        raise InputError(f"{path}: the features of a run, but not all; make the file again.") from None


def _snapshot(tree: dict[str, Any]) -> Snapshot:
    layers = {
        name: Layer(Moments(**layer["moments"]), layer["ncc_mismatch"])
        for name, layer in tree.pop("layers", {}).items()
    }
    if (batches := tree.pop("batch_statistics", None)) is not None:
        tree["batch_statistics"] = BatchStatistics(Moments(**batches["moments"]), batches["weight"])
    return Snapshot(moments=Moments(**tree.pop("moments")), sample=Sample(**tree.pop("sample")), layers=layers, **tree)


def _flatten(tree: dict[str, Any], prefix: str) -> dict[str, np.ndarray]:
    flat: dict[str, np.ndarray] = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}/{name}")
        elif value is not None:
            flat[f"{prefix}/{name}"] = np.asarray(value)
    return flat


def _nest(flat: dict[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, value in flat.items():
        *branches, leaf = name.split("/")
        here = tree
        for branch in branches:
            here = here.setdefault(branch, {})
        here[leaf] = value
    return tree


def _squared_norms(rows: np.ndarray) -> np.ndarray:
    return np.linalg.vecdot(rows, rows)


def _chunks(features: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Some rows at a time, and a copy of them in float64: 1 MB, to stay in cache, or what keeps products fast."""
    step = max(2**17 // features.shape[1], 384)
    for start in range(0, len(features), step):
        rows = slice(start, start + step)
        yield rows, features[rows].astype(np.float64)
