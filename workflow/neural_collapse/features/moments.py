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
from scipy.sparse import csr_array

from ..errors import InputError
from ..storage import read_arrays, write_arrays
from .decisions import MANY, Decisions
from .products import add_squares

WEIGHTINGS = ("class", "sample")  # every class weighs the same, or every example


@dataclass(frozen=True, eq=False)
class Moments:
    """First and second moments of the features of C classes, float64; every class weighs the same where not told.

    class_means: mu_c, (C, P).
    within_class_covariance: Sigma_W = Ave_c Ave_i (h - mu_c)(h - mu_c)^T, (P, P); or its eigenvalues (P,), with the
        class means in the coordinates along its eigenvectors.
    class_variances: v_c = Ave_i ‖h - mu_c‖², (C,); their mean is the trace of Sigma_W.
    class_weights: (C,), what each class counts in every Ave_c, summing to 1: its share of the examples where every
        example weighs the same. None: 1/C.
    """

    class_means: np.ndarray
    within_class_covariance: np.ndarray
    class_variances: np.ndarray
    class_weights: np.ndarray | None = None

    @property
    def weights(self) -> np.ndarray:
        """What each class counts, (C,)."""
        classes = len(self.class_means)
        return np.full(classes, 1 / classes) if self.class_weights is None else self.class_weights

    @property
    def global_mean(self) -> np.ndarray:
        """mu_G = Ave_c mu_c, (P,)."""
        if self.class_weights is None:
            return self.class_means.mean(0)
        first = self.class_means[0]  # so that equal means have exactly that mean
        return first + self.class_weights @ (self.class_means - first)


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


def class_moments(features: np.ndarray, labels: np.ndarray, classes: int, weighting: str = "class") -> Moments:
    """Moments of features (N, P), any real dtype, in two centred passes; labels (N,) in 0..classes-1.

    Every class weighs the same, or with the `weighting` "sample" every example. Beside the features it needs the memory
    of one P x P matrix, of the class means and of some rows. Every class needs an example.
    """
    counts = np.bincount(labels, minlength=classes)
    means = np.zeros((classes, features.shape[1]))
    for rows, chunk in _chunks(features):
        present, sums = _class_sums(labels[rows], chunk)
        means[present] += sums
    means /= counts[:, None]

    covariance = np.zeros((features.shape[1],) * 2, order="F")
    squares = np.zeros(classes)
    scale = 1 / np.sqrt(classes * counts) if weighting == "class" else np.full(classes, 1 / np.sqrt(len(labels)))
    for rows, residuals in _chunks(features):
        residuals -= means[labels[rows]]
        squares += np.bincount(labels[rows], _squared_norms(residuals), minlength=classes)
        residuals *= scale[labels[rows], None]
        covariance = add_squares(covariance, residuals)
    for row in range(1, len(covariance)):
        covariance[row, :row] = covariance[:row, row]
    return Moments(means, covariance, squares / counts, None if weighting == "class" else counts / len(labels))


def _class_sums(labels: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The classes that are there, in order, and the sum of the rows (n, P) of each: no more work for more classes."""
    order = np.argsort(labels, kind="stable")
    present, starts = np.unique(labels[order], return_index=True)
    members = csr_array((np.ones(len(rows)), order, np.append(starts, len(rows))), shape=(len(present), len(rows)))
    return present, members @ rows


def example_measures(
    features: np.ndarray,
    labels: np.ndarray,
    centres: np.ndarray,
    weight: np.ndarray | None = None,
    bias: np.ndarray | None = None,
) -> dict[str, float]:
    """The measures that every example decides for itself.

    Parameters
    ----------
    features: (N, P), any real dtype; labels: (N,) int.
    centres: (C, P), class means: those of the train set, for either split.
    weight, bias: W (C, P), b (C,); without W, what needs it is left out.

    Returns
    -------
    `ncc_error`          share of examples with argmin_c ‖h - centre_c‖ != label
    `error`              share of examples with argmax_c(<w_c, h> + b_c) != label
    `ncc_mismatch`       share of examples with argmax_c(<w_c, h> + b_c) != argmin_c ‖h - centre_c‖ (PHD, NC4)
    `cosine_margin`      mean over classes of the mean over the class's examples of
                         cos(h - g, w_label) - max_{c != label} cos(h - g, w_c), with g the centres' mean: the
                         sample margin of Zhou et al. (arXiv 2206.11589), centred; C/(C-1) at collapse
    `cosine_margin_min`  the smallest of them
    `error__class_weighted`, `ncc_error__class_weighted`, `ncc_mismatch__class_weighted`
                         where the classes' counts differ: the mean over classes of the share of the class's examples
    `cosine_margin__sample_weighted`
                         where the classes' counts differ: the mean over all examples
    """
    classes = len(centres)
    counts = np.bincount(labels, minlength=classes)
    found = Decisions(centres, weight, bias)
    wrong = {"ncc_error": np.empty(len(features), dtype=bool)}
    if weight is not None:
        wrong |= {"error": np.empty(len(features), dtype=bool), "ncc_mismatch": np.empty(len(features), dtype=bool)}
        margins = np.empty(len(features))
    for rows, chunk in _chunks(features, classes):
        truth = labels[rows]
        chunk -= found.centre
        nearest = found.nearest(chunk)
        wrong["ncc_error"][rows] = nearest != truth
        if weight is not None:
            decided, margins[rows] = found.linear(chunk, truth)
            wrong["error"][rows] = decided != truth
            wrong["ncc_mismatch"][rows] = decided != nearest
    measures: dict[str, float] = {name: int(values.sum()) / len(features) for name, values in wrong.items()}

    def class_mean(of_example: np.ndarray) -> float:
        return float((np.bincount(labels, of_example, minlength=classes) / counts).mean())

    if weight is not None:
        measures |= {"cosine_margin": class_mean(margins), "cosine_margin_min": float(margins.min())}
    if counts.min() < counts.max():
        measures |= {f"{name}__class_weighted": class_mean(of_example) for name, of_example in wrong.items()}
        if weight is not None:
            measures["cosine_margin__sample_weighted"] = float(margins.mean())
    return measures


def nearest_centres(features: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """argmin_c ‖h - centre_c‖, (N,) int64, of features (N, P), any real dtype, and centres (C, P)."""
    found = Decisions(centres)
    return np.concatenate([found.nearest(chunk - found.centre) for _, chunk in _chunks(features, len(centres))])


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


def _chunks(features: np.ndarray, classes: int = 0) -> Iterator[tuple[slice, np.ndarray]]:
    """Some rows at a time, and a copy of them in float64: 1 MB, to stay in cache, or what keeps products fast.

    With `classes`, each row is to be multiplied with as many others: at most 32 MB of float32 products.
    """
    step = max(2**17 // features.shape[1], 384)
    if classes >= MANY:
        step = max(min(2**23 // classes, 512), 64)
    for start in range(0, len(features), step):
        rows = slice(start, start + step)
        yield rows, features[rows].astype(np.float64)
