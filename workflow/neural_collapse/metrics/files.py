"""Anyone's features, read from files, as one table of measures: a row a value, as those of a study."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from scipy.special import logsumexp

from ..config.names import PLAIN, UNKNOWN
from ..errors import InputError
from ..features.files import Dump, Split, read_features
from ..features.moments import example_measures
from .measures import collapse_measures
from .runs import COLUMNS

_OF_MSE = ("loss", "classifier_distance", "distance_")  # the decomposition around least squares
_ROWS = 4096  # at a time


def measure_files(
    files: Iterable[str | Path],
    *,
    names: Mapping[str, str] | None = None,
    name: str | None = None,
    dataset: str = UNKNOWN,
    loss: str = UNKNOWN,
    seed: int = 0,
    weight_decay_lambda: float = 0.0,
) -> pd.DataFrame:
    """Measure all features in files, and put the measures into one table.

    Parameters
    ----------
    files, names, name: see `read_features`.
    dataset, loss, seed: what the table says of them.
    loss: trained on, decides what is measured: of "mse", and where it is not known, the MSE loss and its terms; of "ce"
        the mean cross entropy; of any other loss none.
    weight_decay_lambda: see `collapse_measures`.

    Returns
    -------
    pandas.DataFrame
        The columns of `metrics.runs.COLUMNS`; `network` is the name of the `Dump`. The nearest class centres of a
        test split are those of the train split beside it. Without a classifier, what needs none is measured.

    Raises
    ------
    InputError
        Where files are not as `read_features` wants them, or features not as `collapse_measures` does.
    """
    rows = [
        (dataset, dump.name, loss, PLAIN, seed, dump.epoch, split, measure, value)
        for dump in read_features(files, names=names, name=name)
        for split, measures in measure_dump(dump, loss, weight_decay_lambda).items()
        for measure, value in measures.items()
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def measure_epochs(
    files: Mapping[int | None, list[Path]], *, name: str, names: Mapping[str, str], loss: str, weight_decay: float
) -> list[tuple[int, str, str, float]]:
    """Measure the features of one run at each of its epochs.

    Parameters
    ----------
    files: the files of each epoch; those under None say themselves, or by their names, of which epoch they are.
    name: of the run, for errors.
    names, loss: see `measure_files`.
    weight_decay: of SGD, a C/2-th of the loss's lambda.

    Returns
    -------
    Epoch, split, measure and value.

    Raises
    ------
    InputError
        As `measure_files`; where files of one epoch hold several networks, and where epochs don't hold the same arrays.
    """
    values: list[tuple[int, str, str, float]] = []
    known: dict[str, tuple[int, set[str]]] = {}
    for epoch, paths in files.items():
        dumps = read_features(paths, names=names, name=name)
        if epoch is not None and len(dumps) > 1:
            raise InputError(f"{name}: {paths[0]} and others of epoch {epoch} hold features twice; keep those of one.")
        for dump in dumps:
            at = dump.epoch if epoch is None else epoch
            classes = 1 + max(int(split.labels.max(initial=1)) for split in dump.splits.values())
            measured = measure_dump(replace(dump, epoch=at), loss, classes * weight_decay / 2)
            for split, measures in measured.items():
                first, expected = known.setdefault(split, (at, set(measures)))
                if odd := expected ^ set(measures):
                    raise InputError(
                        f"{name}: {min(odd)} ({split}) can't be measured at both epoch {first} and epoch {at}; their "
                        "files must hold the same arrays and classes."
                    )
                values += [(at, split, measure, value) for measure, value in measures.items()]
    return values


def measure_dump(dump: Dump, loss: str, weight_decay_lambda: float) -> dict[str, dict[str, float]]:
    """The measures of each split of a dump; see `measure_files`."""
    measured = {}
    for split, given in dump.splits.items():
        try:
            measured[split] = _of_split(dump, given, loss, weight_decay_lambda)
        except InputError as error:
            raise InputError(f"{dump.name}, epoch {dump.epoch}, {split} data: {error}") from None
    return measured


def _of_split(dump: Dump, split: Split, loss: str, weight_decay_lambda: float) -> dict[str, float]:
    features, labels = split
    if features.ndim != 2 or features.dtype.kind not in "fiu" or labels.shape != features.shape[:1] or not len(labels):
        # Said here, where nothing was computed yet.
        raise InputError(
            f"features must be numbers of the shape (N, P) with a label each, found {features.dtype} {features.shape} "
            f"and {len(labels)} labels."
        )
    measures = collapse_measures(features, labels, dump.weight, dump.bias, weight_decay_lambda=weight_decay_lambda)
    weight, bias = (None if values is None else values.astype(np.float64) for values in (dump.weight, dump.bias))
    train = dump.splits.get("train", split)
    if split is not train:
        classes = int(train.labels.max()) + 1 if weight is None else len(weight)
        measures |= example_measures(features, labels, _class_means(*train, classes), weight, bias)
    if loss not in ("mse", UNKNOWN):
        measures = {name: value for name, value in measures.items() if not name.startswith(_OF_MSE)}
    if loss == "ce" and weight is not None:
        measures["loss"] = _cross_entropy(features, labels, weight, 0.0 if bias is None else bias)
    return measures


def _class_means(features: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    sums = np.zeros((classes, features.shape[1]))
    for start in range(0, len(labels), _ROWS):
        truth = labels[start : start + _ROWS]
        members = csr_array((np.ones(len(truth)), (truth, np.arange(len(truth)))), (classes, len(truth)))
        sums += members @ features[start : start + _ROWS].astype(np.float64)
    return sums / np.bincount(labels, minlength=classes)[:, None]


def _cross_entropy(features: np.ndarray, labels: np.ndarray, weight: np.ndarray, bias: np.ndarray | float) -> float:
    """The mean over classes of the mean cross entropy within a class, without weight decay."""
    losses = np.empty(len(labels))
    for start in range(0, len(labels), _ROWS):
        rows = slice(start, start + _ROWS)
        logits = features[rows].astype(np.float64) @ weight.T + bias
        losses[rows] = logsumexp(logits, axis=1) - logits[np.arange(len(logits)), labels[rows]]
    return float((np.bincount(labels, losses, len(weight)) / np.bincount(labels, minlength=len(weight))).mean())
