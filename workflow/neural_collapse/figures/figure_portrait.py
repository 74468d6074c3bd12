"""Figure: a portrait of collapse (figure 1 of the papers): examples, class means and classifiers of three classes."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..config.names import parts_of_pair
from ..errors import InputError
from ..features.moments import Sample, read_snapshots
from ..metrics.tables import by_number, title, title_of_variant
from .style import CLASS_MEANS, CLASSIFIERS, STYLE, THIRD

READS = "features"
_CLASSES = 3  # span a plane
_EPOCHS = 5  # shown of a run
_PANEL = 1.4  # inches
_MOVING = 60  # examples of each class in the moving portrait
_REACH = 1.7  # of a panel, in norms of the class means
_COLORS = (CLASS_MEANS.color, CLASSIFIERS.color, THIRD.color)


class Portrait(NamedTuple):
    """A run's name, and the samples of its train split by epoch."""

    run: str
    samples: dict[int, Sample]


def read(paths: Sequence[Path]) -> list[Portrait]:
    """The samples of each training, of its first seed.

    Raises
    ------
    InputError
        Where a file is no such, or isn't named after its run.
    """
    for path in paths:
        if not re.fullmatch(".+-.+-.+-seed[0-9]{1,19}", path.stem):
            raise InputError(f"{path}: must be named after its run, such as mnist-vgg11-mse-seed0.safetensors.")
    first: dict[str, Path] = {}
    for path in sorted(paths, key=lambda path: int(path.stem.rpartition("-seed")[2])):
        first.setdefault(path.stem.rpartition("-seed")[0], path)
    return [
        Portrait(run, {epoch: snapshot.sample for epoch, split, snapshot in read_snapshots(path) if split == "train"})
        for run, path in sorted(first.items(), key=_in_order)
    ]


def _in_order(item: tuple[str, Path]) -> tuple[Any, ...]:
    *names, variant = parts_of_pair(item[0])
    return *names, by_number(variant)


def draw(portraits: Sequence[Portrait]) -> Figure:
    """A row of panels for each run, from its first to its last measured epoch."""
    if not portraits:
        raise InputError("no run's features are given: nothing to draw.")
    with matplotlib.rc_context(STYLE | {"axes.grid": False}):
        figure = Figure(figsize=(_EPOCHS * _PANEL, 0.5 + _PANEL * len(portraits)), layout="constrained")
        grid = figure.subplots(len(portraits), _EPOCHS, squeeze=False)
        for panels, portrait in zip(grid, portraits, strict=True):
            epochs = sorted(portrait.samples)
            shown = np.unique(np.linspace(0, len(epochs) - 1, _EPOCHS).round().astype(int))
            for axes in panels:
                axes.set_axis_off()
            for axes, place in zip(panels, shown, strict=False):
                _draw_panel(axes, portrait.samples[epochs[place]])
                axes.set_title(f"epoch {epochs[place]}")
            dataset, network, loss, variant = parts_of_pair(portrait.run)
            name = "\n".join(
                filter(None, [title(dataset), f"{title(network)}, {title(loss)}", title_of_variant(variant)])
            )
            panels[0].text(-0.05, 0.5, name, transform=panels[0].transAxes, rotation=90, ha="right", va="center")
        handles = [
            Line2D([], [], color=".35", linestyle="", marker=".", markersize=3, label="examples"),
            Line2D([], [], color=".35", linestyle="", marker="o", markerfacecolor="none", label="class means"),
            Line2D([], [], color=".35", marker="s", markersize=3.5, label="classifiers"),
            Line2D([], [], color=".6", linestyle=":", label="simplex ETF"),
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), frameon=False)
    return figure


def projected(sample: Sample) -> dict[str, np.ndarray]:
    """Class means (3, 2), classifiers (3, 2) and examples (n, 2) of the first three classes in the means' plane.

    The plane is turned so that the means come nearest the corners of `simplex`. Means and classifiers are about their
    own centres, in units of their own average norm there, examples about the centre and in the units of the means.
    """
    count = min(_CLASSES, len(sample.class_means))
    centre = sample.class_means[:count].mean(0)
    means = sample.class_means[:count] - centre
    classifiers = sample.weight[:count] - sample.weight[:count].mean(0)
    left, _, right = np.linalg.svd(means.T @ simplex(count), full_matrices=False)
    plane = left @ right
    scale = np.linalg.norm(means, axis=1).mean()
    return {
        "class_means": means @ plane / scale,
        "classifiers": classifiers @ plane / np.linalg.norm(classifiers, axis=1).mean(),
        "examples": (sample.coordinates[sample.labels < count] - centre) @ plane / scale,
    }


def frames(portraits: Sequence[Portrait]) -> dict[str, Any]:
    """Every measured epoch of each run, projected as in the figure and rounded to what a screen shows, for animation.

    `runs`: a table each with `run`, `epochs`, `labels` of the examples, and by epoch `examples`, `class_means` and
    `classifiers`, each a list of x and y. Of each class the first `_MOVING` sampled examples are there.
    """
    found = []
    for portrait in portraits:
        epochs = sorted(portrait.samples)
        sample = portrait.samples[epochs[0]]
        labels = sample.labels[sample.labels < _CLASSES]
        kept = np.concatenate([np.flatnonzero(labels == class_)[:_MOVING] for class_ in range(_CLASSES)])
        points = [projected(portrait.samples[epoch]) for epoch in epochs]
        found.append(
            {
                "run": portrait.run,
                "epochs": epochs,
                "labels": labels[kept].tolist(),
                "examples": [_rounded(of["examples"][kept]) for of in points],
                "class_means": [_rounded(of["class_means"]) for of in points],
                "classifiers": [_rounded(of["classifiers"]) for of in points],
            }
        )
    count = max((len(run["class_means"][0]) for run in found), default=_CLASSES)
    return {"runs": found, "reach": _REACH, "corners": _rounded(simplex(count))}


def _rounded(points: np.ndarray) -> list[list[float]]:
    return points.round(3).tolist()


def simplex(count: int) -> np.ndarray:
    """The corners of a regular polygon of `count` corners, (count, 2), at distance one from its centre."""
    angles = np.pi / 2 + 2 * np.pi * np.arange(count) / count
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _draw_panel(axes: Axes, sample: Sample) -> None:
    points = projected(sample)
    colors = _COLORS[: len(points["class_means"])]
    labels = sample.labels[sample.labels < len(colors)]
    for corner in simplex(len(colors)):
        axes.plot([0, 1.5 * corner[0]], [0, 1.5 * corner[1]], color=".6", linestyle=":", linewidth=0.8, zorder=1)
    x, y = points["examples"].T
    palette = dict(enumerate(colors))
    sns.scatterplot(x=x, y=y, hue=labels, palette=palette, s=4, linewidth=0, alpha=0.5, legend=False, ax=axes)
    for class_, color in enumerate(colors):
        x, y = points["classifiers"][class_]
        axes.plot([0, x], [0, y], color=color, linewidth=1, marker="s", markersize=3, markevery=[1], zorder=3)
        x, y = points["class_means"][class_]
        axes.plot(x, y, marker="o", markersize=6, markerfacecolor="none", markeredgewidth=0.9, color=color, zorder=4)
    axes.set(xlim=(-_REACH, _REACH), ylim=(-_REACH, _REACH), aspect="equal")
