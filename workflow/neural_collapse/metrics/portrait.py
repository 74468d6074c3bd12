"""A portrait of collapse (figure 1 of the papers): examples, class means and classifiers of three classes."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..config.names import PLAIN, parts_of_pair
from ..errors import InputError
from ..features.moments import Sample
from ..storage import read_json, whole_file
from .runs import by_number

REACH = 1.7
"""Of what is drawn about the centre, in norms of the class means."""

_CLASSES = 3  # span a plane
_EXAMPLES = 60  # of each class
_DECIMALS = 3  # more than a screen shows


@dataclass(frozen=True, eq=False)
class Portrait:
    """A run's train split at each of its E measured epochs, in the units of `projected`.

    epochs: (E,) int64; labels: of the n examples, (n,) int64.
    examples: (E, n, 2); class_means, classifiers: (E, K, 2), of the first K = 3 classes or of all.
    """

    epochs: np.ndarray
    labels: np.ndarray
    examples: np.ndarray
    class_means: np.ndarray
    classifiers: np.ndarray


def portray(samples: Iterable[tuple[int, Sample]]) -> Portrait:
    """Project what a features file keeps of each epoch: of every class the first 60 sampled examples."""
    epochs, found = zip(*samples, strict=True)
    labels = found[0].labels[found[0].labels < _CLASSES]
    kept = np.concatenate([np.flatnonzero(labels == class_)[:_EXAMPLES] for class_ in range(_CLASSES)])
    points = [projected(sample) for sample in found]
    stacked = {name: np.stack([of[name] for of in points]) for name in points[0]}
    return Portrait(np.array(epochs), labels[kept], **stacked | {"examples": stacked["examples"][:, kept]})


def projected(sample: Sample) -> dict[str, np.ndarray]:
    """Class means (3, 2), classifiers (3, 2) and examples (n, 2) of the first three classes in the means' plane.

    The plane is turned so that the means come nearest the corners of `simplex`. Means and classifiers are about their
    own centres, in units of their own average norm there (as they are where that is zero), examples about the centre
    and in the units of the means.
    """
    count = min(_CLASSES, len(sample.class_means))
    centre = sample.class_means[:count].mean(0)
    means = sample.class_means[:count] - centre
    classifiers = sample.weight[:count] - sample.weight[:count].mean(0)
    left, _, right = np.linalg.svd(means.T @ simplex(count), full_matrices=False)
    plane = left @ right
    scale, own_scale = (np.linalg.norm(of, axis=1).mean() or 1.0 for of in (means, classifiers))
    return {
        "class_means": means @ plane / scale,
        "classifiers": classifiers @ plane / own_scale,
        "examples": (sample.coordinates[sample.labels < count] - centre) @ plane / scale,
    }


def simplex(count: int) -> np.ndarray:
    """The corners of a regular polygon of `count` corners, (count, 2), at distance one from its centre."""
    angles = np.pi / 2 + 2 * np.pi * np.arange(count) / count
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def write_portrait(path: str | Path, portrait: Portrait) -> None:
    table = {name: array.round(_DECIMALS).tolist() for name, array in asdict(portrait).items()}
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(table, separators=(",", ":")) + "\n")


def read_portraits(paths: Iterable[Path]) -> dict[str, Portrait]:
    """Portraits, to the three decimals that are kept, by the name of their training, such as mnist-vgg11-mse; in order.

    Raises
    ------
    InputError
        Where a file is no such, isn't named after its run, or is of a training that another one is of.
    """
    files: dict[str, Path] = {}
    for path in paths:
        training, _, seed = path.stem.rpartition("-seed")
        if training.count("-") not in (2, 3) or training.endswith(f"-{PLAIN}") or not seed.isdecimal():
            raise InputError(f"{path}: must be named after its run, such as mnist-vgg11-mse-seed0.json.")
        if training in files:
            raise InputError(f"{path}: {files[training]} is of the same training; give one of them.")
        files[training] = path
    return {training: _read_portrait(files[training]) for training in sorted(files, key=_order)}


def _order(training: str) -> tuple[Any, ...]:
    *names, variant = parts_of_pair(training)
    return *names, by_number(variant)


def _read_portrait(path: Path) -> Portrait:
    names = list(Portrait.__annotations__)
    table = read_json(path, "a portrait", *names)
    try:
        epochs, labels, examples, *points = arrays = [np.array(table[name], float) for name in names]
        count, classes = points[0].shape[:2]
        shapes = [(count,), (len(labels),), (count, len(labels), 2), *[(count, classes, 2)] * 2]
        whole = [array.shape for array in arrays] == shapes and all(np.isfinite(array).all() for array in arrays)
        if not whole or not count or not 0 < classes <= _CLASSES or set(labels) - set(range(classes)):
            raise ValueError
    except (ValueError, TypeError, OverflowError, IndexError):
        raise InputError(f"{path}: not a portrait; make it again, or restore it with `git checkout`.") from None
    return Portrait(epochs.astype(int), labels.astype(int), examples, *points)
