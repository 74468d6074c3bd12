"""The configuration file as a table of runs, checked against the schema and against what the library knows.

This module loads neither torch nor torchvision: what networks, data sets, losses and figures there are is read from the
sources of their modules, so that a plan of thousands of jobs is made in a second on a machine without either.
"""

import copy
import difflib
import functools
import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import InputError, shortened
from .checks import (
    check_network_options,
    check_schedule,
    check_setting,
    checked,
    config_schema,
    defaults,
    definition,
    unknown,
)
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
from .imbalance import class_counts
from .names import LEFT_OUT, OTHER_TABLES, PLAIN, name_of_settings, pair_name, parts_of_pair
from .settings import default_drops, training_schema
from .sweeps import Sweep


@dataclass(frozen=True)
class Brought:
    """What a run brings in place of a training.

    kind: "features" or "checkpoints".
    files: paths in which `{epoch}` stands for the epoch, and `*` for anything.
    arrays: what arrays are called in files of features, by what they are.
    """

    kind: str
    files: tuple[str, ...]
    arrays: dict[str, str]


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

    for name_of_network, options in study["networks"].items():
        _check_network(f"{where}.networks", *_architecture(name_of_network, options))
    for dataset, own in study["datasets"].items():
        if "source" not in own and dataset not in known_sources():
            raise InputError(f"{where}.datasets: {unknown('data set', dataset, known_sources())}")
    datasets: dict[str, dict[str, Any]] = {}
    sizes: dict[str, DataSize | None] = {}
    runs = []
    for (dataset, network, loss, variant), own in _declared_runs(where, study):
        pair = pair_name(dataset, network, loss, variant)
        here = f"{where}.runs.{pair}"
        brought = _brought(here, own, study)
        seeds = [*brought] or own.pop("seeds", study["seeds"])
        if "features" in own:
            settings = _settings_of_brought("features", own, study)
            runs += [Run(dataset, network, loss, variant, s, "", "", settings, {}, {}, brought[s]) for s in seeds]
            continue
        own_data, own_network = own.pop("dataset", {}), own.pop("network", {})
        if isinstance(own_network, str) and not brought:
            raise InputError(f"{here}.network: '{own_network}' is no table of options; a run's name says its network.")
        if brought:
            settings = _settings_of_brought("checkpoints", own, study)
        else:
            settings = _settings(here, study["training"], own | study["override"])
        _check_loss_options(f"{here}.loss_options", loss, settings["loss_options"])
        if not brought and study["measured_epochs"] > settings["epochs"]:
            found = f"{study['measured_epochs']} epochs can't be measured in a run of {settings['epochs']}"
            raise InputError(f"{where}.measured_epochs: {found}, {pair}.")
        if isinstance(own_network, str):
            named, own_network = own_network, {}
            if named not in study["networks"]:
                _check_network(f"{here}.network", named, {})
        else:
            named = network
        architecture, options = _architecture(named, study["networks"].get(named, {}) | own_network)
        check_network_options(f"{here}.network", building_module(architecture), options)
        for key, value in own_data.items():
            _check_varied(f"{here}.dataset", f"dataset.{key}", value)
        data = "-".join([dataset, *([name_of_settings(own_data)] if own_data else [])])
        if data not in datasets:
            given = study["datasets"].get(dataset, {}) | own_data
            datasets[data] = _dataset(dataset, given, f"{where}.datasets")
            sizes[data] = published_size(datasets[data], f"{where}.datasets.{dataset}")
        if size := sizes[data]:
            _check_fit(here, architecture, 0 if brought else settings["batch_size"], size)
        outside = _outside(where, study, dataset, data, datasets, sizes)
        runs += [
            Run(
                dataset, network, loss, variant, seed, data, architecture, settings, options, outside, brought.get(seed)
            )
            for seed in seeds
        ]
    for other in study["out_of_distribution"]:
        if not any(other in run.outside for run in runs):
            why = "every run is trained on it; name another data set"
            if other == LEFT_OUT:
                why = "no run's data set leaves classes out; write `left_out_classes` in one"
            raise InputError(f"{where}.out_of_distribution: '{other}': {why}.")
    if (
        twice := next((run for i, run in enumerate(runs) if run in runs[:i]), None)
        if len(set(runs)) < len(runs)
        else None
    ):
        raise InputError(f"{where}: the run {twice.pair} is there twice; give one of them another variant's name.")
    for key, system in study["theory"].items():
        if key in OTHER_TABLES:
            raise InputError(f"{where}.theory.{key}: theory/{key}.csv is another table; choose another name.")
        least, most = system["classes"] - 1, system["classes"] * (system["examples_per_class"] - 1)
        if len(system["spectrum"]) != least or not least <= system["features"] <= most:
            raise InputError(
                f"{where}.theory.{key}: needs {least} numbers in `spectrum` and from {least} to {most} features; "
                f"found {len(system['spectrum'])} and {system['features']}."
            )
    for figure in study["leave_out"]:
        if figure not in known_figures():
            raise InputError(f"{where}.leave_out: {unknown('figure', figure, known_figures())}")
    sweep = Sweep(**study["sweep"])
    if sweep.lowest >= sweep.highest:
        raise InputError(f"{where}.sweep: lowest, {sweep.lowest}, must be less than highest, {sweep.highest}.")
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
        sweep=sweep,
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
    if left_out := settings["left_out_classes"]:
        if max(left_out) >= classes or classes - len(left_out) < 2:
            raise InputError(
                f"{where}.left_out_classes: {left_out} must be numbers from 0 to {classes - 1}, and leave two classes."
            )
        # About, where classes differ: how many examples each has is not published.
        train, test = (count and count - count * len(left_out) // classes for count in (train, test))
        classes -= len(left_out)
    pool = train
    if settings["train_per_class"] != "all":
        if classes * settings["train_per_class"] > train:
            raise InputError(
                f"{where}.train_per_class: there are no {settings['train_per_class']} examples of each class; all are "
                f"{train} of {classes} classes."
            )
        train = classes * settings["train_per_class"]
    test = pool - train if test is None else test
    if test == 0:
        raise InputError(f"{where}.train_per_class: write a smaller number, so that examples are left for testing.")
    if isinstance(settings["test_per_class"], int):
        if classes * settings["test_per_class"] > test:
            raise InputError(
                f"{where}.test_per_class: there are no {settings['test_per_class']} test examples of each class; all "
                f"are {test} of {classes} classes."
            )
        test = classes * settings["test_per_class"]
    if settings["imbalance"] is not None:
        train = sum(_imbalanced_counts(settings, classes, where))
    image_size = (settings["resize"] or published["image_size"]) + 2 * settings["padding"]
    return DataSize(published["channels"], image_size, classes, train, test)


def _imbalanced_counts(settings: dict[str, Any], classes: int, where: str) -> list[int]:
    largest, ratio = settings["train_per_class"], settings["imbalance"]
    counts = class_counts(classes, largest, ratio, settings["imbalance_profile"])
    if not counts[-1]:
        raise InputError(f"{where}.imbalance: {ratio} of {largest} train examples leaves the last class without any.")
    return counts


def _outside(
    where: str,
    study: dict[str, Any],
    dataset: str,
    data: str,
    datasets: dict[str, dict[str, Any]],
    sizes: dict[str, DataSize | None],
) -> dict[str, str]:
    """What is out of the distribution of a run's `data`, prepared of `dataset`; added to `datasets` and `sizes`.

    Classes left out are prepared with all others: whoever looks at them drops those that the run's own data have.
    """
    here = f"{where}.out_of_distribution"
    found = {}
    for name in study["out_of_distribution"]:
        if name == LEFT_OUT and datasets[data]["left_out_classes"]:
            whole = dict.fromkeys(("imbalance", "imbalance_profile", "label_noise")) | {"left_out_classes": []}
            prepared, settings = f"{data}-{LEFT_OUT}", datasets[data] | whole
        elif name in (LEFT_OUT, dataset):
            continue
        elif name in study["datasets"] or name in known_sources():
            prepared, settings = name, _dataset(name, study["datasets"].get(name, {}), f"{where}.datasets")
        else:
            raise InputError(f"{here}: {unknown('data set', name, [*study['datasets'], *known_sources(), LEFT_OUT])}")
        if prepared not in datasets:
            datasets[prepared], sizes[prepared] = settings, published_size(settings, f"{where}.datasets.{name}")
        seen, shown = sizes[data], sizes[prepared]
        if seen and shown and (seen.channels, seen.image_size) != (shown.channels, shown.image_size):
            raise InputError(
                f"{here}: the images of '{name}' are {_pixels(shown)}, but the networks of '{dataset}' see "
                f"{_pixels(seen)}; set `resize` or `padding` of {name}, or take it out."
            )
        found[name] = prepared
    return found


def _pixels(size: DataSize) -> str:
    return f"{size.channels}x{size.image_size}x{size.image_size}"


def declared_by(figure: str) -> dict[str, Any]:
    """The literals of a figure's module, such as READS and NEEDS, by its name ("figure-02")."""
    return literals(f"figures.{figure.replace('-', '_')}")


def shows_something(figure: str, runs: Iterable[Run]) -> bool:
    """Whether a figure is of simulated systems, of settings that vary, or of runs of which there are some."""
    reads = declared_by(figure)["READS"]
    shown = shown_runs(figure, runs)
    if reads == "settings":
        return len({run.variant for run in shown}) > 1 or len({run.loss for run in shown}) > 2
    if reads == "codes":
        return len({run.network_options.get("bottleneck") for run in shown} - {None}) > 1
    return reads == "theory" or bool(shown)


def shown_runs(figure: str, runs: Iterable[Run]) -> list[Run]:
    """The runs that a figure of networks shows: those of the loss that it needs, if any, that have what it reads.

    Of features alone none is shown that needs the network, or settings of a training.
    """
    declared = declared_by(figure)
    needed, of_all = declared.get("NEEDS"), declared["READS"] != "out_of_distribution"
    of_features = declared["READS"] == "metrics" and not declared.get("NEEDS_LAYERS")
    having = [run for run in runs if (of_all or run.outside) and (of_features or run.has_network)]
    return [run for run in having if needed in (None, run.loss)]


def settings_of_runs(study: Study) -> list[dict[str, Any]]:
    """What `runs.csv` says: every run by the first columns of all tables, and every setting of it by its name.

    Options of networks and losses and the data's settings are called as in a grid, such as `network.width`.
    """
    rows = []
    for run in study.runs:
        key = {name: getattr(run, name) for name in ("dataset", "network", "loss", "variant", "seed")}
        if run.brings:
            key["brings"] = run.brings.kind
        if not run.has_network:
            rows.append(key | run.settings)
            continue
        options = {"architecture": run.architecture} | run.network_options
        parts = {"network": options, "dataset": study.datasets[run.data], "loss_options": run.settings["loss_options"]}
        settings = {name: value for name, value in run.settings.items() if name != "loss_options"}
        rows.append(key | settings | {f"{part}.{name}": v for part, of in parts.items() for name, v in of.items()})
    return rows


def _architecture(network: str, options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """What builds a network of a study, by default the one of its own name, and that one's options."""
    return options.get("source", network), {key: value for key, value in options.items() if key != "source"}


Parts = tuple[str, str, str, str]
"""Data set, network, loss and variant."""


def _declared_runs(where: str, study: dict[str, Any]) -> Iterator[tuple[Parts, dict[str, Any]]]:
    """The runs as they are listed, and those that the grid makes of each that is no variant, with their settings."""
    for key, values in study["grid"].items():
        for value in values:
            _check_varied(f"{where}.grid", key, value)
    for pair, own in study["runs"].items():
        parts = _check_pair(f"{where}.runs", pair, own, study["datasets"], study["networks"])
        if parts[-1] != PLAIN or not study["grid"] or own.keys() & _ALLOWED:
            yield parts, copy.deepcopy(own)
            continue
        for values in itertools.product(*study["grid"].values()):
            settings = dict(zip(study["grid"], values, strict=True))
            varied = copy.deepcopy(own)
            for key, value in settings.items():
                part, _, name = key.rpartition(".")
                (varied.setdefault(part, {}) if part else varied)[name] = value
            variant = name_of_settings(settings)
            check_setting(f"{where}.grid", variant, definition("variant"))
            yield (*parts[:3], variant), varied


def _check_varied(where: str, key: str, value: Any) -> None:
    """Raise InputError for a value that a setting, named as in a grid, can't have; networks check their options."""
    part, _, name = key.rpartition(".")
    training = {key: schema for key, schema in training_schema().items() if key != "loss_options"}
    own = [key for key in config_schema()["$defs"]["dataset"]["properties"] if key not in ("source", "path")]
    if part == "" and name in training:
        check_setting(f"{where}.{key}", value, training[name])
    elif part == "loss_options":
        check_setting(f"{where}.{key}", value, {"type": "number"})
    elif part == "dataset" and name in own:
        check_setting(f"{where}.{name}", value, definition("dataset", name))
    elif part != "network":
        known = [*training, "network.{option}", "loss_options.{option}", *(f"dataset.{name}" for name in own)]
        raise InputError(f"{where}: {unknown('setting', key, known)}")


# What a run may say beside the files that it brings.
_ALLOWED = {
    "features": ("arrays", "weight_decay", "seeds"),
    "checkpoints": ("network", "dataset", "loss_options", "weight_decay", "batch_size", "threads", "seeds"),
}


def _brought(where: str, own: dict[str, Any], study: dict[str, Any]) -> dict[int, Brought]:
    """What a run brings in place of a training, by its seeds; nothing of one that is trained."""
    kind = next((kind for kind in _ALLOWED if kind in own), None)
    if kind is None:
        if "arrays" in own:
            raise InputError(f"{where}.arrays: names arrays in files of features; give these as `features`.")
        return {}
    for key in own:
        if key not in (kind, *_ALLOWED[kind]):
            raise InputError(
                f"{where}: '{key}' is nothing to a run that brings its {kind}; it may say {', '.join(_ALLOWED[kind])}."
            )
    files = [own[kind]] if isinstance(own[kind], str) else own[kind]
    for file in files:
        unknown_marks = set(re.findall("{[^}]*}", file)) - {"{epoch}", "{seed}"}
        if unknown_marks or file.count("{epoch}") > 1:
            raise InputError(f"{where}.{kind}: '{file}' may hold {{epoch}} once, {{seed}}, * and no other such mark.")
        if re.match(r"(\./)?[^/]*[*{]", file):
            raise InputError(f"{where}.{kind}: '{file}' must lie in a folder of its own, such as dumps/{file}.")
    of_seeds = any("{seed}" in file for file in files)
    seeds = own.get("seeds", study["seeds"] if of_seeds else [0])
    if len(seeds) > 1 and not of_seeds:
        raise InputError(f"{where}.{kind}: the files of {len(seeds)} seeds need {{seed}} in their path.")
    return {
        seed: Brought(kind, tuple(file.replace("{seed}", str(seed)) for file in files), own.get("arrays", {}))
        for seed in seeds
    }


def _settings_of_brought(kind: str, own: dict[str, Any], study: dict[str, Any]) -> dict[str, Any]:
    """The settings that measuring needs; without weight decay, where nobody says what a training elsewhere had."""
    given = {"weight_decay": 0} | study["training"] | own | study["override"]
    common = defaults(config_schema()["$defs"]["training"]["properties"])
    return {key: value for key, value in (common | given).items() if key in common and key in _ALLOWED[kind]}


# The checks, each one sentence.


def _check_pair(
    where: str, pair: str, own: dict[str, Any], datasets: dict[str, Any], networks: dict[str, Any]
) -> Parts:
    try:
        dataset, network, loss, variant = parts_of_pair(pair)
        if "-" not in pair and "features" not in own:
            raise ValueError("only of features may nothing be known but the network")
    except ValueError:
        raise InputError(
            f"{where}: '{shortened(pair, 80)}' is not a run; write {{dataset}}-{{network}}-{{loss}}, such as "
            "mnist-vgg11-mse, or with -{variant} behind it."
        ) from None
    if variant != PLAIN:
        check_setting(f"{where}.{pair}", variant, definition("variant"))
    if "features" in own:
        for name in (dataset, network, loss):
            check_setting(f"{where}.{pair}", name, definition("name"))
        return dataset, network, loss, variant
    if dataset not in datasets and dataset not in modules("data.sources"):
        raise InputError(f"{where}.{pair}: {unknown('data set', dataset, [*datasets, *known_sources()])}")
    if isinstance(own.get("network"), str):
        check_setting(f"{where}.{pair}", network, definition("name"))
    elif network not in networks:
        _check_network(f"{where}.{pair}", network, {})
    if loss not in known_losses():
        raise InputError(f"{where}.{pair}: {unknown('loss', loss, known_losses())}")
    return dataset, network, loss, variant


def _check_network(where: str, name: str, options: dict[str, Any]) -> None:
    if ":" in name:
        if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", name):
            found = shortened(name, 80)
            raise InputError(f"{where}: '{found}' is no function; write module:function, such as models:build.")
        check_network_options(where, building_module(name), options)
        return
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
    if options.keys() != needed.keys():
        words = ", ".join(sorted(needed)) or "no options"
        raise InputError(f"{where}: '{loss}' needs {words}, found {', '.join(options) or 'none'}.")
    for key, value in options.items():
        check_setting(f"{where}.{key}", value, needed[key])


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
    imbalanced = "imbalance" in given
    if imbalanced and given.get("train_per_class", own["TRAIN_PER_CLASS"]) == "all":
        raise InputError(
            f"{where}.{name}.imbalance: needs a number as `train_per_class`, the examples of the largest class."
        )
    if "imbalance_profile" in given and not imbalanced:
        raise InputError(f"{where}.{name}.imbalance_profile: needs `imbalance`, the ratio; add it or take this out.")
    of_source = {
        "source": source,
        "path": None,
        "train_per_class": own["TRAIN_PER_CLASS"],
        "test_per_class": None,
        "resize": None,
        "padding": own["PADDING"],
        "left_out_classes": [],
        "imbalance": None,
        "imbalance_profile": "long_tailed" if imbalanced else None,
        "label_noise": None,
    }
    return of_source | defaults(config_schema()["$defs"]["dataset"]["properties"]) | given


def _settings(where: str, common: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    settings = defaults(config_schema()["$defs"]["training"]["properties"]) | common | own
    settings.setdefault("learning_rate_drops", default_drops(settings["epochs"]))
    check_schedule(f"{where}.", settings)
    return settings
