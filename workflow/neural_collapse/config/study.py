"""What a run is, and what a study is."""

import functools
from dataclasses import dataclass, field, replace
from typing import Any

from .brought import Brought
from .names import pair_name
from .sweeps import Sweep


@dataclass(frozen=True)
class Run:
    """One training: a data set, a network, a loss, what varies beside these, and a seed.

    `settings` holds every key of the schema's `training`, defaults filled in; `network_options` the network's own.
    `architecture` is what builds the network, and `data` names the images as prepared for this run: the data set, and
    behind a hyphen in what they differ from its others. `outside` names the images that are out of its distribution, as
    prepared, by what tables call them. A run that `brings` its checkpoints has those settings alone that measuring them
    needs; of one that brings its features, data set and loss are names and nothing more.
    """

    dataset: str
    network: str
    loss: str
    variant: str
    seed: int
    data: str = field(compare=False)
    architecture: str = field(compare=False)
    settings: dict[str, Any] = field(compare=False)
    network_options: dict[str, Any] = field(compare=False)
    outside: dict[str, str] = field(compare=False)
    brings: Brought | None = field(compare=False, default=None)

    @property
    def has_network(self) -> bool:
        """Whether there is a network to show images to, and not its features alone."""
        return self.brings is None or self.brings.kind == "checkpoints"

    @property
    def pair(self) -> str:
        """The run without its seed, which is what a learning rate is chosen for."""
        return pair_name(self.dataset, self.network, self.loss, self.variant)

    @property
    def name(self) -> str:
        return f"{self.pair}-seed{self.seed}"

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Study:
    """One study of config.yaml: its runs and everything else the schema says of a study, defaults filled in.

    `datasets` are those that are prepared, by the name that a run's `data` or `outside` gives. `figures` are those that
    show something of these runs, but for the ones left out.
    """

    name: str
    runs: tuple[Run, ...]
    datasets: dict[str, dict[str, Any]]
    attack: dict[str, Any]
    theory: dict[str, dict[str, Any]]
    figures: tuple[str, ...]
    layers: bool
    measured_epochs: int
    sweep: Sweep

    @functools.cached_property
    def trained(self) -> tuple[Run, ...]:
        return tuple(run for run in self.runs if run.brings is None)

    @functools.cached_property
    def with_network(self) -> tuple[Run, ...]:
        return tuple(run for run in self.runs if run.has_network)

    def bringing(self, kind: str) -> tuple[Run, ...]:
        """The runs that bring "features", or "checkpoints"."""
        return tuple(run for run in self.runs if run.brings is not None and run.brings.kind == kind)

    @functools.cached_property
    def swept(self) -> dict[str, Run]:
        """The runs whose learning rate is chosen by a sweep, one for each pair: the one with the first seed."""
        chosen: dict[str, Run] = {}
        for run in self.trained:
            if run.settings["learning_rate"] == "sweep":
                chosen.setdefault(run.pair, run)
        return chosen

    def trial(self, pair: str, number: int) -> Run:
        """A run of the sweep of a pair, in a round of it (from 1), whatever its learning rate."""
        run = self.swept[pair]
        return replace(run, settings=self.sweep.settings(number, run.settings))
