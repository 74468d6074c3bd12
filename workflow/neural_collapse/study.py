"""The configuration file as a table of runs, checked against the schema and against what the library knows.

This module loads neither torch nor torchvision: what networks, data sets, losses and figures there are is read from the
sources of their modules, so that a plan of thousands of jobs is made in a second on a machine without either.
"""

import ast
import copy
import difflib
import functools
import importlib.util
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from .declarations import literals, syntax_tree
from .errors import InputError
from .networks import family
from .schedule import default_drops

_LIBRARY = Path(__file__).parent
_SCHEMA = _LIBRARY.parent / "schemas" / "config.schema.yaml"


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

    `figures` are those named that show something of these runs.
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

    @property
    def swept(self) -> dict[str, Run]:
        """The runs whose learning rate is chosen by a sweep, one for each pair: the one with the first seed."""
        chosen: dict[str, Run] = {}
        for run in self.runs:
            if run.settings["learning_rate"] == "sweep":
                chosen.setdefault(run.pair, run)
        return chosen


def read_config(path: str | Path) -> dict[str, Any]:
    """Read config.yaml; raises InputError where it is missing, not YAML, or gives a key twice."""
    try:
        text = Path(path).read_text()
        config = yaml.safe_load(text)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file.") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML ({' '.join(str(error).split())}).") from None
    _check_keys(path, yaml.compose(text))
    return config


def _check_keys(path: str | Path, node: yaml.Node | None) -> None:
    """Raise InputError where a table gives a key twice: of two such values YAML takes the last, and says nothing."""
    if isinstance(node, yaml.MappingNode):
        given = set()
        for key, value in node.value:
            if key.value in given:
                raise InputError(
                    f"{path}: line {key.start_mark.line + 1}: the key '{key.value}' is there twice; keep one."
                )
            given.add(key.value)
            _check_keys(path, value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _check_keys(path, item)


def checked(config: dict[str, Any]) -> dict[str, Any]:
    """A copy of a configuration with the schema's defaults filled in, but in `training`, which merges.

    Raises InputError for the first thing that the schema forbids.
    """
    config = _as_meant(config)
    errors = list(_Validator(_schema()).iter_errors(config))  # to the end, because defaults are filled in on the way
    if errors:
        where = ".".join(str(part) for part in errors[0].absolute_path)
        raise InputError(f"config.yaml: {where + ': ' if where else ''}{_sentence(errors[0])}")
    return config


def load_study(config: dict[str, Any], name: str | None = None) -> Study:
    """Check a configuration and build the study it names (or the one given).

    Raises InputError, one sentence with the key, the value and what is allowed, for every mistake.
    """
    config = checked(config)
    name = name or config["study"]
    if name not in config["studies"]:
        raise InputError(f"config.yaml: study: {_unknown('study', name, config['studies'])}")
    study, where = config["studies"][name], f"config.yaml: studies.{name}"

    for key, options in study["networks"].items():
        _check_network(f"{where}.networks", key, options)
    pairs = {pair: _check_pair(f"{where}.runs", pair, study["datasets"]) for pair in study["runs"]}
    datasets = {}
    for dataset, _, _ in pairs.values():
        datasets.setdefault(dataset, _dataset(dataset, study["datasets"].get(dataset, {}), f"{where}.datasets"))
    for dataset, own in study["datasets"].items():
        if dataset not in datasets and "source" not in own and dataset not in _known_datasets():
            raise InputError(f"{where}.datasets: {_unknown('data set', dataset, _known_datasets())}")
    runs = []
    for pair, (dataset, network, loss) in pairs.items():
        settings = _settings(f"{where}.runs.{pair}", study["training"], study["runs"][pair])
        _check_loss_options(f"{where}.runs.{pair}.loss_options", loss, settings["loss_options"])
        if study["measured_epochs"] > settings["epochs"]:
            found = f"{study['measured_epochs']} epochs can't be measured in a run of {settings['epochs']}"
            raise InputError(f"{where}.measured_epochs: {found}, {pair}.")
        options = study["networks"].get(network, {})
        runs += [Run(dataset, network, loss, seed, settings, options) for seed in study["seeds"]]
    for key, system in study["theory"].items():
        least, most = system["classes"] - 1, system["classes"] * (system["examples_per_class"] - 1)
        if len(system["spectrum"]) != least or not least <= system["features"] <= most:
            raise InputError(
                f"{where}.theory.{key}: needs {least} numbers in `spectrum` and from {least} to {most} features; "
                f"found {len(system['spectrum'])} and {system['features']}."
            )
    for figure in study["figures"]:
        if figure not in known_figures():
            raise InputError(f"{where}.figures: {_unknown('figure', figure, known_figures())}")
    figures = tuple(figure for figure in study["figures"] if shows_something(figure, runs))
    if not figures:
        raise InputError(
            f"{where}.figures: {study['figures']} shows nothing of these runs; name others, or leave it out."
        )
    sweep = study["sweep"]
    if sweep["lowest"] >= sweep["highest"]:
        raise InputError(f"{where}.sweep: lowest, {sweep['lowest']}, must be less than highest, {sweep['highest']}.")
    return Study(
        name=name,
        runs=tuple(runs),
        datasets=datasets,
        attack=study["attack"],
        theory=study["theory"],
        figures=figures,
        layers=study["layers"],
        measured_epochs=study["measured_epochs"],
        sweep_rates=_logarithmic(sweep["lowest"], sweep["highest"], sweep["count"]),
    )


# What the library knows, read from its sources.


def _modules(package: str) -> list[str]:
    return sorted(path.stem for path in (_LIBRARY / package).glob("[!_]*.py"))


def known_networks() -> list[str]:
    """Every network of the library's own families, such as `vgg11`; torchvision's models come on top."""
    return [
        f"{family}{depth}"
        for family in _modules("networks")
        for depth in literals(f"networks.{family}").get("DEPTHS", ())
    ]


def known_figures() -> list[str]:
    return [module.replace("_", "-") for module in _modules("figures") if module.startswith("figure_")]


def shows_something(figure: str, runs: Iterable[Run]) -> bool:
    """Whether a figure is of simulated systems, or of a loss that one of the runs has."""
    declared = literals(f"figures.{figure.replace('-', '_')}")
    return declared["READS"] == "theory" or any(run.loss in declared["LOSSES"] for run in runs)


@functools.cache
def _reads_path(source: str) -> bool:
    """Whether a source of data looks at the `path` it is given."""
    names = (node.id for node in ast.walk(syntax_tree(f"datasets.{source}")) if isinstance(node, ast.Name))
    return "path" in names


@functools.cache
def _torchvision_models() -> frozenset[str] | None:
    """The names of torchvision's models, or None where it is not installed beside the workflow (conda)."""
    found = importlib.util.find_spec("torchvision")
    if found is None:
        return None
    sources = Path(found.origin).parent.joinpath("models").glob("*.py")
    return frozenset(
        re.findall(r"^@register_model\(\)\n(?:@.*\n)*def (\w+)", "\n".join(s.read_text() for s in sources), re.M)
    )


@functools.cache
def _options_of(module: str) -> frozenset[str]:
    """The keyword arguments of a network module's `build` that a user may set: those with a default."""
    for node in syntax_tree(f"networks.{module}").body:
        if isinstance(node, ast.FunctionDef) and node.name == "build":
            return frozenset(
                a.arg for a, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if default
            )
    raise InputError(f"networks/{module}.py: there is no function `build`.")


@functools.cache
def _options_of_loss(name: str) -> frozenset[str]:
    """The arguments of a loss after logits and labels."""
    functions = [node for node in syntax_tree("losses").body if isinstance(node, ast.FunctionDef)]
    return frozenset(a.arg for node in functions if node.name == name for a in node.args.args[2:])


def pinned_packages(environment: str) -> list[str]:
    """The packages that an environment of envs/ pins, such as "training"."""
    content = yaml.safe_load((_LIBRARY.parents[1] / "envs" / f"{environment}.yaml").read_text())
    return sorted(content["dependencies"])


def _as_meant(value: Any) -> Any:
    """A copy in which `5e-4` is a number, as everybody but YAML 1.1 (which wants `5.0e-4`) reads it.

    A whole number may be written `1e2` or `100.0`, and a key that YAML takes for a number is a name.
    """
    if isinstance(value, dict):
        return {str(key): _as_meant(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_meant(item) for item in value]
    if isinstance(value, str) and re.fullmatch(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+", value):
        value = float(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


# The checks, each one sentence.


def _check_pair(where: str, pair: str, own: dict[str, Any]) -> tuple[str, str, str]:
    parts = pair.split("-")
    if len(parts) != 3:
        raise InputError(
            f"{where}: '{pair}' is not a run; write {{dataset}}-{{network}}-{{loss}}, such as mnist-vgg11-mse."
        )
    dataset, network, loss = parts
    if dataset not in own and dataset not in _modules("datasets"):
        raise InputError(f"{where}.{pair}: {_unknown('data set', dataset, [*own, *_known_datasets()])}")
    _check_network(f"{where}.{pair}", network, {})
    if loss not in literals("losses")["LOSSES"]:
        raise InputError(f"{where}.{pair}: {_unknown('loss', loss, literals('losses')['LOSSES'])}")
    return dataset, network, loss


def _known_datasets() -> list[str]:
    return [name for name in _modules("datasets") if name not in ("arrays", "folder", "preparation")]


def _check_network(where: str, name: str, options: dict[str, Any]) -> None:
    torchvision_models = _torchvision_models() or frozenset()
    of_torchvision = family(name) == "torchvision_model" and (name in torchvision_models or not torchvision_models)
    if name not in known_networks() and not of_torchvision:
        known = ", ".join(known_networks())
        guess = difflib.get_close_matches(name, [*known_networks(), *torchvision_models], n=1)
        hint = f" (did you mean '{guess[0]}'?)" if guess else ""
        raise InputError(
            f"{where}: no network named '{name}'{hint}; known: {known}, and the classifiers of torchvision.models."
        )
    allowed = _options_of(family(name))
    for key in options:
        if key not in allowed:
            raise InputError(f"{where}.{name}: {_unknown('option', key, allowed)}")


def _check_loss_options(where: str, loss: str, options: dict[str, Any]) -> None:
    needed = _options_of_loss(loss)
    if set(options) != needed:
        words = ", ".join(sorted(needed)) or "no options"
        raise InputError(f"{where}: '{loss}' needs {words}, found {', '.join(options) or 'none'}.")


def _dataset(name: str, given: dict[str, Any], where: str) -> dict[str, Any]:
    """The settings of one data set, its module's own defaults filled in."""
    source = given.get("source", name)
    if source not in _modules("datasets") or source == "preparation":
        raise InputError(f"{where}.{name}: {_unknown('source', source, [*_known_datasets(), 'arrays', 'folder'])}")
    if source in ("arrays", "folder") and "path" not in given:
        raise InputError(f"{where}.{name}: a data set from `{source}` needs a `path`.")
    if "path" in given and not _reads_path(source):
        raise InputError(
            f"{where}.{name}.path: `{source}` reads no path; take it out, or add `source: arrays` or `folder`."
        )
    own = literals(f"datasets.{source}")
    of_source = {
        "source": source,
        "path": None,
        "train_per_class": own["TRAIN_PER_CLASS"],
        "test_per_class": None,
        "padding": own["PADDING"],
    }
    return of_source | _defaults(_schema()["$defs"]["dataset"]["properties"]) | given


def _settings(where: str, common: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    settings = _defaults(_schema()["$defs"]["training"]["properties"]) | common | own
    epochs = settings["epochs"]
    drops = settings.setdefault("learning_rate_drops", default_drops(epochs))
    if drops and (max(drops) >= epochs or sorted(set(drops)) != drops):
        raise InputError(f"{where}.learning_rate_drops: {drops} must rise and end before the last epoch, {epochs}.")
    if settings["warmup_epochs"] >= epochs:
        raise InputError(f"{where}.warmup_epochs: {settings['warmup_epochs']} must be less than the {epochs} epochs.")
    return settings


def _defaults(properties: dict[str, Any]) -> dict[str, Any]:
    return {key: copy.deepcopy(value["default"]) for key, value in properties.items() if "default" in value}


def _logarithmic(lowest: float, highest: float, count: int) -> tuple[float, ...]:
    """`count` rates from `lowest` to `highest`, in nine significant digits: they are also file names."""
    low, high = math.log10(lowest), math.log10(highest)
    return tuple(float(f"{10 ** (low + (high - low) * i / (count - 1)):.8e}") for i in range(count))


@functools.cache
def _schema() -> dict[str, Any]:
    return yaml.safe_load(_SCHEMA.read_text())


def _fill_defaults(validator, properties, instance, schema):
    if isinstance(instance, dict) and schema is not _schema()["$defs"]["training"]:
        for key, default in _defaults(properties).items():
            instance.setdefault(key, default)
    yield from jsonschema.Draft202012Validator.VALIDATORS["properties"](validator, properties, instance, schema)


def _is_number(checker, value):
    return checker.is_type(value, "integer") or (isinstance(value, float) and math.isfinite(value))


_Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    {"properties": _fill_defaults},
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine("number", _is_number),
)


def _sentence(error: jsonschema.ValidationError) -> str:
    value, wanted = error.instance, error.validator_value
    match error.validator:
        case "additionalProperties":
            known = error.schema["properties"]
            return _unknown("key", next(key for key in value if key not in known), known)
        case "required":
            return f"the key '{next(key for key in wanted if key not in value)}' is missing."
        case "enum":
            return _unknown("choice", value, wanted)
        case "type" if value is None and wanted == "object":
            return "there is nothing; write {} where nothing differs from the defaults."
        case "type":
            return f"{value!r} is not of type {wanted}."
        case "oneOf":
            allowed = " or ".join(_allowed(choice) for choice in wanted)
            return f"{value!r} is not allowed; it must be {allowed}."
        case "pattern":
            return f"{value!r} is not a name; use small letters, digits and underscores."
        case _:
            return f"{value!r} is not allowed; it must be {_allowed(error.schema)}."


def _allowed(schema: dict[str, Any]) -> str:
    """What a piece of the schema allows, in words."""
    if "const" in schema:
        return f"'{schema['const']}'"
    words = {
        "minimum": "at least {}",
        "exclusiveMinimum": "more than {}",
        "exclusiveMaximum": "less than {}",
        "minItems": "at least {} long",
        "minProperties": "at least {} long",
        "uniqueItems": "without repeats",
    }
    kind = {"integer": "a whole number", "number": "a number", "array": "a list", "object": "a table"}[schema["type"]]
    return " ".join(
        [kind, " and ".join(text.format(schema[key]) for key, text in words.items() if key in schema)]
    ).strip()


def _unknown(kind: str, name: object, known: Iterable[object]) -> str:
    guess = difflib.get_close_matches(str(name), [str(k) for k in known], n=1)
    hint = f" (did you mean '{guess[0]}'?)" if guess else ""
    return f"no {kind} named '{name}'{hint}; known: {', '.join(str(k) for k in known) or 'none'}."
