"""A run: what tells it from others, what papers call it and where they list it; its measures, written."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from ..config.names import PLAIN, UNKNOWN, pair_name
from ..storage import write_rows


class RunKey(NamedTuple):
    """What tells one training from another."""

    dataset: str
    network: str
    loss: str
    variant: str
    seed: int

    @property
    def pair(self) -> str:
        """The run without its seed."""
        return pair_name(self.dataset, self.network, self.loss, self.variant)

    def __str__(self) -> str:
        return f"{self.pair}-seed{self.seed}"


COLUMNS = [*RunKey._fields, "epoch", "split", "measure", "value"]

# Train accuracy >= 99.9 %, what Papyan, Han & Donoho (2020) call zero train error.
ZERO_ERROR = 0.001

# The order of the columns, the rows and the curves of the papers' figures.
DATASETS = ("mnist", "fashionmnist", "svhn", "cifar10", "stl10")
FAMILIES = ("vgg", "resnet", "densenet")
LOSSES = ("mse", "ce")

_TITLES = {
    "mnist": "MNIST",
    "fashionmnist": "FashionMNIST",
    "svhn": "SVHN",
    "cifar": "CIFAR",
    "stl": "STL",
    "vgg": "VGG",
    "resnet": "ResNet",
    "densenet": "DenseNet",
    "mse": "MSE",
    "ce": "CE",
    "scaled_mse": "scaled MSE",
    "label_smoothing": "label smoothing",
    UNKNOWN: "",
}


def in_paper_order(run: RunKey) -> tuple[object, ...]:
    """A sort key: data sets, then families of networks, in the paper's order, others by name after them."""
    return (
        order(run.dataset, DATASETS),
        order(family(run.network), FAMILIES),
        run.network,
        order(run.loss, LOSSES),
        by_number(run.variant),
        run.seed,
    )


def by_number(variant: str) -> list[tuple[str, float]]:
    """A sort key: by words, and numbers by their value; a training that is no variant comes first."""
    parts = re.findall(r"([^0-9]*)([0-9]+(?:\.[0-9]+)?)?", "" if variant == PLAIN else variant)
    return [(word, float(number or -1)) for word, number in parts]


def order(name: str, known: tuple[str, ...]) -> tuple[int, str]:
    """A sort key: the names of `known` as they stand there, all others by name after them."""
    return (known.index(name) if name in known else len(known), name)


def family(network: str) -> str:
    """The leading letters of a network's name: `resnet` for `resnet18`."""
    return re.match("[a-z]*", network).group() or network


def title(name: str) -> str:
    """A data set's, network's or loss's name as the papers print it: `ResNet18` for `resnet18`."""
    stem = family(name)
    return _TITLES.get(name, _TITLES.get(stem, stem) + name[len(stem) :])


def title_of_variant(variant: str) -> str:
    """A variant in words, nothing for a training that is none: `weight decay 0.005` for `weight_decay_0.005`."""
    return "" if variant == PLAIN else variant.replace("_", " ")


def write_measures(path: str | Path, run: RunKey, values: Iterable[tuple[int, str, str, float]]) -> None:
    """Write the table of one run; each of `values` is an epoch, a split, the measure's name and its value."""
    write_rows(path, COLUMNS, ((*run, *key, float(value)) for *key, value in values))
