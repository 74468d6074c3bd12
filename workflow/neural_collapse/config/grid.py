"""The runs that a study declares: those that it lists, and the variants that its grid makes of them."""

import copy
import itertools
from collections.abc import Iterator
from typing import Any

from ..errors import InputError, shortened
from .brought import kind_brought
from .checks import check_setting, config_schema, definition, unknown
from .declarations import known_losses, known_sources, modules
from .names import PLAIN, name_of_settings, parts_of_pair
from .networks import check_network
from .settings import training_schema

Parts = tuple[str, str, str, str]
"""Data set, network, loss and variant."""


def declared_runs(where: str, study: dict[str, Any]) -> Iterator[tuple[Parts, dict[str, Any]]]:
    """The runs as they are listed, and those that the grid makes of each that is no variant, with their settings."""
    for key, values in study["grid"].items():
        for value in values:
            check_varied(f"{where}.grid", key, value)
    for pair, own in study["runs"].items():
        parts = _check_pair(f"{where}.runs", pair, own, study)
        if parts[-1] != PLAIN or not study["grid"] or kind_brought(own):
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


def check_varied(where: str, key: str, value: Any) -> None:
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


def _check_pair(where: str, pair: str, own: dict[str, Any], study: dict[str, Any]) -> Parts:
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
    if dataset not in study["datasets"] and dataset not in modules("data.sources"):
        raise InputError(f"{where}.{pair}: {unknown('data set', dataset, [*study['datasets'], *known_sources()])}")
    if isinstance(named := own.get("network"), str):
        if not kind_brought(own):
            here = f"{where}.{pair}.network"
            raise InputError(f"{here}: '{named}' is no table of options; a run's name says its network.")
        check_setting(f"{where}.{pair}", network, definition("name"))
    elif network not in study["networks"]:
        check_network(f"{where}.{pair}", network, {})
    if loss not in known_losses():
        raise InputError(f"{where}.{pair}: {unknown('loss', loss, known_losses())}")
    return dataset, network, loss, variant
