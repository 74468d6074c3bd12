"""What a study will take, before any of it is paid for: jobs, arithmetic and disk, layer by layer."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from .config.declarations import of_another_library
from .config.shown import portrayed_runs
from .config.sizes import DataSize, published_size
from .config.study import Run, Study
from .data.own_files import are_there, found_files, how_many
from .data.sizes import size_of_data
from .features.extraction import SAMPLE_SIZE
from .features.out_of_distribution import AXES
from .train import networks

_ATTACK_STEPS = 3  # of DeepFool, for an average image; 1.5 to 3 were seen


@dataclass(frozen=True)
class Cost:
    """What one layer of a study takes; `flops` counts a multiply-add as 2, `disk` is in bytes."""

    layer: str
    jobs: int
    flops: float = 0.0
    disk: float = 0.0


@dataclass(frozen=True)
class NetworkCost:
    """What one network takes: FLOPs of one image, bytes of one checkpoint, and its number P of last-layer features."""

    forward_flops: float
    training_flops: float
    checkpoint_bytes: int
    features: int


def plan(study: Study, results: Path) -> list[Cost]:
    """Count what every layer of a study takes, from its run table and from the networks themselves.

    Parameters
    ----------
    study: the runs and their settings.
    results: the study's folder of results, where the cards of prepared data sets are; needed of a user's own alone.

    Raises
    ------
    InputError
        Where such a data set is not prepared yet.
    """
    data = {name: size_of_data(study, name, results) for name in study.datasets}
    runs, features = study.with_network, study.bringing("features")
    flops = {layer: sum(jobs.values()) for layer, jobs in flops_of_jobs(study, data).items()}

    def over_epochs(quantity: Callable[[Run, DataSize], float]) -> float:
        return sum(_epochs(study, run) * quantity(run, data[run.data]) for run in runs)

    outside = [run for run in runs if run.outside]
    kept = sum(_epochs(study, run) * _kept_bytes(run, data) for run in outside)
    moments = over_epochs(_moments_bytes) + kept
    return [
        Cost("data", jobs=len(data) + len(study.runs) - len(study.trained), disk=sum(map(_data_bytes, data.values()))),
        sweep_cost(study, results),
        Cost("train", len(runs), flops=flops["train"], disk=over_epochs(_checkpoint_bytes)),
        Cost(
            "features",
            len(runs) + len(outside),
            flops=flops["features"] + flops["out_of_distribution"],
            disk=moments,
        ),
        # Each run is measured, attacked where it has a network, and summarised, one of each training is portrayed, and
        # all are collected, with what was set for each.
        Cost(
            "metrics",
            3 * len(runs) + 2 * len(features) + len(outside) + len(portrayed_runs(study)) + 2,
            flops=flops["metrics"],
        ),
        # And the table of what the paper proves, and that of unconstrained features where they are drawn.
        Cost("theory", jobs=len(study.theory) + 1 + ("figure-unconstrained-features" in study.figures)),
        # And table 1 and the claims.
        Cost("figures", jobs=len(study.figures) + 2),
    ]


def sweep_cost(study: Study, results: Path, method: str | None = None) -> Cost:
    """Count what the sweeps of a study take by its method, or by another one; parameters and errors are `plan`'s."""
    if method:
        study = replace(study, sweep=replace(study.sweep, method=method))
    data = {run.data: size_of_data(study, run.data, results) for run in study.swept.values()}
    flops = flops_of_jobs(study, data)["sweep"]
    rounds = study.sweep.rounds
    # A job tries a rate, one chooses among a round's, and one collects all choices.
    return Cost(
        "sweep",
        jobs=len(study.swept) * (sum(rounds) + len(rounds)) + 1,
        flops=sum(count * flops[f"{pair} {number}"] for pair in study.swept for number, count in enumerate(rounds, 1)),
    )


def flops_of_jobs(study: Study, data: Mapping[str, DataSize]) -> dict[str, dict[str, float]]:
    """Count the FLOPs of every job that runs a network, by layer and run (in a sweep, pair and round: of one rate).

    Parameters
    ----------
    study: the runs and their settings.
    data: the size of each data set. The jobs of those that are not named are left out.
    """
    attack = study.attack

    def attacked(run: Run) -> int:
        epochs = _epochs(study, run)
        return epochs if attack["epochs"] == "all" else min(attack["epochs"], epochs)

    def each(runs: Mapping[str, Run], flops: Callable[[Run, DataSize], float]) -> dict[str, float]:
        return {name: flops(run, data[run.data]) for name, run in runs.items() if run.data in data}

    def outside(run: Run) -> int:
        return sum(data[name].test for name in run.outside.values() if name in data)

    runs = {run.name: run for run in study.with_network}
    rounds = range(1, len(study.sweep.rounds) + 1)
    trials = {f"{pair} {number}": study.trial(pair, number) for pair in study.swept for number in rounds}
    return {
        "sweep": each(trials, _training_flops),
        "train": each({run.name: run for run in study.trained}, _training_flops),
        "features": each(runs, lambda run, data: _epochs(study, run) * _extraction_flops(run, data)),
        "out_of_distribution": each(
            {name: run for name, run in runs.items() if run.outside},
            lambda run, data: (
                _epochs(study, run) * _extraction_flops(run, replace(data, test=data.test + outside(run)))
            ),
        ),
        "metrics": each(
            runs, lambda run, data: attacked(run) * min(attack["images"], data.test) * _attack_flops(run, data)
        ),
    }


def _epochs(study: Study, run: Run) -> int:
    """How many epochs of a run are measured; of one that brings its checkpoints, as many as there are."""
    if run.brings and are_there(run.brings.files):
        return how_many(found_files(run.brings.files, run.name))
    return study.measured_epochs


def check_networks(study: Study, results: Path) -> None:
    """Build every network of another library once, without weights, to see whether it takes its options and images.

    Those of data of a user's own that are not prepared yet are left for later.

    Raises
    ------
    InputError
        For the first that doesn't.
    """
    for run in study.with_network:
        known = published_size(study.datasets[run.data], "") or (results / "datasets" / f"{run.data}.json").is_file()
        if known and of_another_library(run.architecture):
            _cost(run, size_of_data(study, run.data, results))


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
    with FlopCounterMode(display=False) as counter:
        logits = network.train()(images)
        forward = counter.get_total_flops()
        logits.sum().backward()
    return NetworkCost(
        forward_flops=forward / batch,
        training_flops=counter.get_total_flops() / batch,
        checkpoint_bytes=sum(tensor.nbytes for tensor in network.state_dict().values()),
        features=network.classifier.in_features,
    )


def _cost(run: Run, data: DataSize) -> NetworkCost:
    options = tuple(sorted((key, value) for key, value in run.network_options.items() if key != "weights"))
    return network_cost(
        run.architecture, options, channels=data.channels, image_size=data.image_size, classes=data.classes
    )


def _training_flops(run: Run, data: DataSize) -> float:
    """Every epoch trains on whole batches and looks at the test set."""
    cost, batch = _cost(run, data), run.settings["batch_size"]
    epoch = data.train // batch * batch * cost.training_flops + data.test * cost.forward_flops
    return run.settings["epochs"] * epoch


def _checkpoint_bytes(run: Run, data: DataSize) -> int:
    return _cost(run, data).checkpoint_bytes


def _extraction_flops(run: Run, data: DataSize) -> float:
    """Of one measured epoch."""
    return (data.train + data.test) * _cost(run, data).forward_flops


def _attack_flops(run: Run, data: DataSize) -> float:
    """Of one image at one measured epoch: a step is two passes forward and one back, to the image, for C-1 classes."""
    return _ATTACK_STEPS * (2 + data.classes - 1) * _cost(run, data).forward_flops


def _data_bytes(data: DataSize) -> int:
    label = 8
    return (data.train + data.test) * (data.channels * data.image_size**2 + label)


def _moments_bytes(run: Run, data: DataSize) -> int:
    """Of one measured epoch, both splits, in float64 (`moments.Snapshot`; inner layers are not counted)."""
    C, P = data.classes, _cost(run, data).features
    spectral = 2 * P * (1 + 2 * C) + P * C  # eigenvalues, class means and classifier; for testing, train means too
    sampled = sum(min(SAMPLE_SIZE, examples) for examples in (data.train, data.test)) * (min(2 * C, P) + 3)
    return 8 * (spectral + sampled)


def _kept_bytes(run: Run, data: Mapping[str, DataSize]) -> int:
    """Of one measured epoch, every example of a run's own data and of those out of its distribution, in float32."""
    own = data[run.data]
    examples = own.train + own.test + sum(data[name].test for name in run.outside.values())
    return 4 * examples * (min(_cost(run, own).features, AXES) + 2)
