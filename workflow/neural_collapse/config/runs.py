"""The configuration file as a table of runs, checked against the schema and against what the library knows.

This module loads neither torch nor torchvision: what networks, data sets, losses and figures there are is read from the
sources of their modules, so that a plan of thousands of jobs is made in a second on a machine without either.
"""

import difflib
import functools
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..errors import InputError, shortened
from .checks import check_network_options, check_schedule, checked, config_schema, defaults, unknown
from .declarations import (
    building_module,
    family_and_depth,
    known_figures,
    known_losses,
    known_networks,
    known_sources,
    literals,
    modules,
    options_of_loss,
    reads_path,
    torchvision_models,
)
from .settings import default_drops


@dataclass(frozen=True)
class Run:
    """One training: a data set, a network, a loss and a seed.

    `settings` holds every key of the schema's `training`, defaults filled in; `network_options` the network's own.
    """

    dataset: str
    network: str
    loss: str
    seed: int
    settings: dict[str, Any] = field(compare=False)
    network_options: dict[str, Any] = field(compare=False)

    @property
    def pair(self) -> str:
        """The run without its seed, which is what a learning rate is chosen for."""
        return f"{self.dataset}-{self.network}-{self.loss}"

    @property
    def name(self) -> str:
        return f"{self.pair}-seed{self.seed}"

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Study:
    """One study of config.yaml: its runs and everything else the schema says of a study, defaults filled in.

    `figures` are those that show something of these runs, but for the ones left out.
    """

    name: str
    runs: tuple[Run, ...]
    datasets: dict[str, dict[str, Any]]
    attack: dict[str, Any]
    theory: dict[str, dict[str, Any]]
    figures: tuple[str, ...]
    layers: bool
    measured_epochs: int
    sweep_rates: tuple[float, ...]

    @functools.cached_property
    def swept(self) -> dict[str, Run]:
        """The runs whose learning rate is chosen by a sweep, one for each pair: the one with the first seed."""
        chosen: dict[str, Run] = {}
        for run in self.runs:
            if run.settings["learning_rate"] == "sweep":
                chosen.setdefault(run.pair, run)
        return chosen


def load_study(config: dict[str, Any], name: str | None = None) -> Study:
    """Check a configuration and build the study it names (or the one given).

    Raises
    ------
    InputError
        One sentence with the key, the value and what is allowed, for every mistake.
    """
    config = checked(config)
    name = name or config["study"]
    if name not in config["studies"]:
        raise InputError(f"config.yaml: study: {unknown('study', name, config['studies'])}")
    study, where = config["studies"][name], f"config.yaml: studies.{name}"

    for key, options in study["networks"].items():
        _check_network(f"{where}.networks", key, options)
    pairs = {pair: _check_pair(f"{where}.runs", pair, study["datasets"]) for pair in study["runs"]}
    datasets: dict[str, dict[str, Any]] = {}
    for dataset, _, _ in pairs.values():
        datasets.setdefault(dataset, _dataset(dataset, study["datasets"].get(dataset, {}), f"{where}.datasets"))
    for dataset, own in study["datasets"].items():
        if dataset not in datasets and "source" not in own and dataset not in known_sources():
            raise InputError(f"{where}.datasets: {unknown('data set', dataset, known_sources())}")
    sizes = {dataset: published_size(settings, f"{where}.datasets.{dataset}") for dataset, settings in datasets.items()}
    runs = []
    for pair, (dataset, network, loss) in pairs.items():
        own = dict(study["runs"][pair])
        seeds = own.pop("seeds", study["seeds"])
        settings = _settings(f"{where}.runs.{pair}", study["training"], own | study["override"])
        _check_loss_options(f"{where}.runs.{pair}.loss_options", loss, settings["loss_options"])
        if study["measured_epochs"] > settings["epochs"]:
            found = f"{study['measured_epochs']} epochs can't be measured in a run of {settings['epochs']}"
            raise InputError(f"{where}.measured_epochs: {found}, {pair}.")
        if size := sizes[dataset]:
            _check_fit(f"{where}.runs.{pair}", network, settings["batch_size"], size)
        options = study["networks"].get(network, {})
        runs += [Run(dataset, network, loss, seed, settings, options) for seed in seeds]
    for key, system in study["theory"].items():
        least, most = system["classes"] - 1, system["classes"] * (system["examples_per_class"] - 1)
        if len(system["spectrum"]) != least or not least <= system["features"] <= most:
            raise InputError(
                f"{where}.theory.{key}: needs {least} numbers in `spectrum` and from {least} to {most} features; "
                f"found {len(system['spectrum'])} and {system['features']}."
            )
    for figure in study["leave_out"]:
        if figure not in known_figures():
            raise InputError(f"{where}.leave_out: {unknown('figure', figure, known_figures())}")
    sweep = study["sweep"]
    if sweep["lowest"] >= sweep["highest"]:
        raise InputError(f"{where}.sweep: lowest, {sweep['lowest']}, must be less than highest, {sweep['highest']}.")
    return Study(
        name=name,
        runs=tuple(runs),
        datasets=datasets,
        attack=study["attack"],
        theory=study["theory"],
        figures=tuple(
            figure
            for figure in known_figures()
            if figure not in study["leave_out"] and shows_something(figure, runs)
            if study["layers"] or not declared_by(figure).get("NEEDS_LAYERS")
        ),
        layers=study["layers"],
        measured_epochs=study["measured_epochs"],
        sweep_rates=_logarithmic(sweep["lowest"], sweep["highest"], sweep["count"]),
    )


@dataclass(frozen=True)
class DataSize:
    """The size of a prepared data set: of its images, and the number of classes and of examples."""

    channels: int
    image_size: int
    classes: int
    train: int
    test: int


def published_size(settings: dict[str, Any], where: str) -> DataSize | None:
    """The size that published data have once prepared with a data set's `settings`; None of a user's own.

    Raises
    ------
    InputError
        One sentence that begins with `where`, for more examples than were published.
    """
    published = literals(f"data.sources.{settings['source']}").get("PUBLISHED")
    if published is None:
        return None
    classes, train, test = published["classes"], published["train"], published["test"]
    if settings["train_per_class"] != "all":
        if classes * settings["train_per_class"] > train:
            raise InputError(
                f"{where}.train_per_class: there are no {settings['train_per_class']} examples of each class; all are "
                f"{train} of {classes} classes."
            )
        train = classes * settings["train_per_class"]
    test = published["train"] - train if test is None else test
    if test == 0:
        raise InputError(f"{where}.train_per_class: write a smaller number, so that examples are left for testing.")
    if isinstance(settings["test_per_class"], int):
        if classes * settings["test_per_class"] > test:
            raise InputError(
                f"{where}.test_per_class: there are no {settings['test_per_class']} test examples of each class; all "
                f"are {test} of {classes} classes."
            )
        test = classes * settings["test_per_class"]
    image_size = (settings["resize"] or published["image_size"]) + 2 * settings["padding"]
    return DataSize(published["channels"], image_size, classes, train, test)


def declared_by(figure: str) -> dict[str, Any]:
    """The literals of a figure's module, such as READS and NEEDS, by its name ("figure-02")."""
    return literals(f"figures.{figure.replace('-', '_')}")


def shows_something(figure: str, runs: Iterable[Run]) -> bool:
    """Whether a figure is of simulated systems, of every loss, or of one that some run has."""
    return declared_by(figure)["READS"] == "theory" or bool(shown_runs(figure, runs))


def shown_runs(figure: str, runs: Iterable[Run]) -> list[Run]:
    """The runs that a figure of networks shows: those of the loss that it needs or, without one, all."""
    needed = declared_by(figure).get("NEEDS")
    return [run for run in runs if needed in (None, run.loss)]


# The checks, each one sentence.


def _check_pair(where: str, pair: str, own: dict[str, Any]) -> tuple[str, str, str]:
    parts = pair.split("-")
    if len(parts) != 3:
        raise InputError(
            f"{where}: '{shortened(pair, 80)}' is not a run; write {{dataset}}-{{network}}-{{loss}}, such as "
            "mnist-vgg11-mse."
        )
    dataset, network, loss = parts
    if dataset not in own and dataset not in modules("data.sources"):
        raise InputError(f"{where}.{pair}: {unknown('data set', dataset, [*own, *known_sources()])}")
    _check_network(f"{where}.{pair}", network, {})
    if loss not in known_losses():
        raise InputError(f"{where}.{pair}: {unknown('loss', loss, known_losses())}")
    return dataset, network, loss


def _check_network(where: str, name: str, options: dict[str, Any]) -> None:
    models = torchvision_models() or frozenset()
    possible = re.fullmatch("[a-z0-9_]{1,64}", name) if not models else name in models
    of_torchvision = building_module(name) == "torchvision_model" and possible
    of_timm = re.fullmatch("timm_[a-z0-9_]{1,59}", name)  # which of them there are shows once it is loaded
    if name not in known_networks() and not of_torchvision and not of_timm:
        known = ", ".join(known_networks())
        name = shortened(name, 80)
        guess = difflib.get_close_matches(name, [*known_networks(), *models], n=1)
        hint = f" (did you mean '{guess[0]}'?)" if guess else ""
        raise InputError(
            f"{where}: no network named '{name}'{hint}; known: {known}, the classifiers of torchvision.models and, "
            "after `timm_`, those of timm."
        )
    check_network_options(f"{where}.{name}", building_module(name), options)


def _check_fit(where: str, network: str, batch_size: int, size: DataSize) -> None:
    if batch_size > size.train:
        raise InputError(f"{where}.batch_size: {batch_size} is more than the {size.train} train images.")
    module, depth = family_and_depth(network)
    smallest = literals(f"train.networks.{module}").get("SMALLEST_IMAGE", {}).get(depth, 1)
    if size.image_size < smallest:
        raise InputError(
            f"{where}: {network} needs images of at least {smallest} pixels a side, but they have {size.image_size}; "
            "set `resize` or `padding` of the data set."
        )


def _check_loss_options(where: str, loss: str, options: dict[str, Any]) -> None:
    needed = options_of_loss(loss)
    if set(options) != needed:
        words = ", ".join(sorted(needed)) or "no options"
        raise InputError(f"{where}: '{loss}' needs {words}, found {', '.join(options) or 'none'}.")


def _dataset(name: str, given: dict[str, Any], where: str) -> dict[str, Any]:
    """The settings of one data set, its module's own defaults filled in."""
    source = given.get("source", name)
    if source not in modules("data.sources"):
        raise InputError(f"{where}.{name}: {unknown('source', source, [*known_sources(), 'arrays', 'folder'])}")
    if reads_path(source) and "path" not in given:
        raise InputError(f"{where}.{name}: a data set from `{source}` needs a `path`.")
    if "path" in given and not reads_path(source):
        raise InputError(
            f"{where}.{name}.path: `{source}` reads no path; take it out, or add `source: arrays` or `folder`."
        )
    own = literals(f"data.sources.{source}")
    of_source = {
        "source": source,
        "path": None,
        "train_per_class": own["TRAIN_PER_CLASS"],
        "test_per_class": None,
        "resize": None,
        "padding": own["PADDING"],
    }
    return of_source | defaults(config_schema()["$defs"]["dataset"]["properties"]) | given


def _settings(where: str, common: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    settings = defaults(config_schema()["$defs"]["training"]["properties"]) | common | own
    settings.setdefault("learning_rate_drops", default_drops(settings["epochs"]))
    check_schedule(f"{where}.", settings)
    return settings


def _logarithmic(lowest: float, highest: float, count: int) -> tuple[float, ...]:
    """`count` rates from `lowest` to `highest`, in nine significant digits: they are also file names."""
    low, high = math.log10(lowest), math.log10(highest)
    return tuple(float(f"{10 ** (low + (high - low) * i / (count - 1)):.8e}") for i in range(count))
