"""What a study will take, before any of it is paid for: jobs, arithmetic and disk, layer by layer."""

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from . import networks
from .datasets import read_dataset
from .errors import InputError
from .study import Run, Study, literals

_PUBLISHED = {
    # channels, pixels a side, classes, train images, test images (None: those not taken for training)
    "digits": (1, 8, 10, 1797, None),
    "mnist": (1, 28, 10, 60_000, 10_000),
    "fashionmnist": (1, 28, 10, 60_000, 10_000),
    "svhn": (3, 32, 10, 73_257, 26_032),
    "cifar10": (3, 32, 10, 50_000, 10_000),
    "cifar100": (3, 32, 100, 50_000, 10_000),
    "stl10": (3, 96, 10, 5_000, 8_000),
}
"""What can be planned before it is downloaded. Any other data set is planned once it is prepared."""

_SAMPLE = 1000  # examples of each split kept for portraits
_ATTACK_STEPS = 3  # of DeepFool, for an average image; 1.5 to 3 were seen


@dataclass(frozen=True)
class Cost:
    """What one layer of a study takes; `flops` counts a multiply-add as 2, `disk` is in bytes."""

    layer: str
    jobs: int
    flops: float = 0.0
    disk: float = 0.0


@dataclass(frozen=True)
class _Data:
    """The size of a prepared data set."""

    channels: int
    image_size: int
    classes: int
    train: int
    test: int


@dataclass(frozen=True)
class NetworkCost:
    """What one network takes: FLOPs of one image, bytes of one checkpoint, and its number P of last-layer features."""

    forward_flops: float
    training_flops: float
    checkpoint_bytes: int
    features: int


def plan(study: Study, results: Path) -> list[Cost]:
    """Count what every layer of a study takes, from its run table and from the networks themselves.

    Args:
        study: the runs and their settings.
        results: the study's folder of results; only data sets whose size is not published are looked at there.

    Raises InputError where such a data set is not prepared yet.
    """
    data = {name: _size_of_data(study, name, results) for name in study.datasets}
    swept = study.swept.values()
    figures = [figure for figure in study.figures if _has_something_to_show(study, figure)]
    tables = any(run.loss == "mse" for run in study.runs) + 1  # table 1 and the claims
    return [
        Cost("data", len(data), disk=sum(map(_data_bytes, data.values()))),
        Cost(
            "sweep",
            len(swept) * (len(study.sweep_rates) + 1),
            len(study.sweep_rates) * _sum(_training_flops(run, data[run.dataset]) for run in swept),
        ),
        Cost(
            "train",
            len(study.runs),
            _sum(_training_flops(run, data[run.dataset]) for run in study.runs),
            study.measured_epochs * _sum(_cost(run, data[run.dataset]).checkpoint_bytes for run in study.runs),
        ),
        Cost(
            "features",
            len(study.runs),
            study.measured_epochs * _sum(_extraction_flops(run, data[run.dataset]) for run in study.runs),
            study.measured_epochs * _sum(_moments_bytes(run, data[run.dataset]) for run in study.runs),
        ),
        Cost(
            "metrics",
            2 * len(study.runs) + 1,
            study.measured_epochs
            * study.attack["images"]
            * _sum(_attack_flops(run, data[run.dataset]) for run in study.runs),
        ),
        Cost("theory", len(study.theory)),
        Cost("figures", len(figures) + tables),
    ]


@functools.cache
def network_cost(
    name: str, options: tuple[tuple[str, float], ...], *, channels: int, image_size: int, classes: int
) -> NetworkCost:
    """Count a network's FLOPs, those of convolutions and matrix products, without computing any (on the meta device).

    `training_flops` is a forward and a backward pass in training mode, whatever is computed twice to save memory
    included.
    """
    batch = 2  # the smallest that batch norm trains on
    with torch.device("meta"):
        network = networks.build(
            name, in_channels=channels, classes=classes, image_size=image_size, seed=0, **dict(options)
        )
        images = torch.empty(batch, channels, image_size, image_size)
        with torch.no_grad(), FlopCounterMode(display=False) as forward:
            network.eval()(images)
        with FlopCounterMode(display=False) as training:
            network.train()(images).sum().backward()
    return NetworkCost(
        forward_flops=forward.get_total_flops() / batch,
        training_flops=training.get_total_flops() / batch,
        checkpoint_bytes=sum(tensor.nbytes for tensor in network.state_dict().values()),
        features=network.classifier.in_features,
    )


def _cost(run: Run, data: _Data) -> NetworkCost:
    options = tuple(sorted(run.network_options.items()))
    return network_cost(run.network, options, channels=data.channels, image_size=data.image_size, classes=data.classes)


def _training_flops(run: Run, data: _Data) -> float:
    """Every epoch trains on whole batches and looks at the test set."""
    cost, batch = _cost(run, data), run.settings["batch_size"]
    epoch = data.train // batch * batch * cost.training_flops + data.test * cost.forward_flops
    return run.settings["epochs"] * epoch


def _extraction_flops(run: Run, data: _Data) -> float:
    """Of one measured epoch."""
    return (data.train + data.test) * _cost(run, data).forward_flops


def _attack_flops(run: Run, data: _Data) -> float:
    """Of one image at one measured epoch: a step is two passes forward and one back, to the image, for C-1 classes."""
    return _ATTACK_STEPS * (2 + data.classes - 1) * _cost(run, data).forward_flops


def _data_bytes(data: _Data) -> int:
    label = 8
    return (data.train + data.test) * (data.channels * data.image_size**2 + label)


def _moments_bytes(run: Run, data: _Data) -> int:
    """Of one measured epoch, both splits, in float64 (`moments.Snapshot`; inner layers are not counted)."""
    C, P = data.classes, _cost(run, data).features
    spectral = 2 * P * (1 + 2 * C) + P * C  # eigenvalues, class means and classifier; for testing, train means too
    sampled = sum(min(_SAMPLE, examples) for examples in (data.train, data.test)) * (min(2 * C, P) + 3)
    return 8 * (spectral + sampled)


def _size_of_data(study: Study, name: str, results: Path) -> _Data:
    settings = study.datasets[name]
    if settings["source"] not in _PUBLISHED:
        path = results / "data" / f"{name}.safetensors"
        if not path.is_file():
            raise InputError(
                f"config.yaml: studies.{study.name}.datasets.{name}: how large it is shows once it is prepared; "
                "run `snakemake --cores all data` first."
            )
        dataset = read_dataset(path)
        channels, image_size = dataset.train_images.shape[1:3]
        train, test = len(dataset.train_images), len(dataset.test_images)
        return _Data(channels, image_size, len(dataset.class_names), train, test)
    channels, image_size, classes, published, test = _PUBLISHED[settings["source"]]
    per_class = settings["train_per_class"]
    train = published if per_class == "all" else classes * per_class
    test = published - train if test is None else test
    return _Data(channels, image_size + 2 * settings["padding"], classes, train, test)


def _has_something_to_show(study: Study, figure: str) -> bool:
    """The workflow leaves out a figure of losses or systems that the study does not have."""
    declared = literals(f"figures.{figure.replace('-', '_')}")
    if declared["READS"] == "theory":
        return bool(study.theory)
    return any(run.loss in declared["LOSSES"] for run in study.runs)


def _sum(values: Iterable[float]) -> float:
    return sum(values, 0.0)
