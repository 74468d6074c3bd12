"""The networks of a study: what builds each, and with which options."""

import difflib
import re
from typing import Any

from ..errors import InputError, shortened
from .checks import check_network_options
from .declarations import building_module, known_networks, torchvision_models


def check_networks(where: str, declared: dict[str, dict[str, Any]]) -> None:
    """Raise InputError, one sentence that begins with `where`, for a mistake in a study's table of networks."""
    for name, options in declared.items():
        check_network(where, *_architecture(name, options))


def network_of_run(
    where: str, name: str, own: str | dict[str, Any], declared: dict[str, dict[str, Any]]
) -> tuple[str, dict[str, Any]]:
    """What builds a run's network, and with which options: those of the study's table, then the run's `own`.

    Of a run that brings its checkpoints `own` may also be the name of the network that its own name only calls.
    """
    if isinstance(own, str):
        name, own = own, {}
        if name not in declared:
            check_network(where, name, {})
    architecture, options = _architecture(name, declared.get(name, {}) | own)
    check_network_options(where, building_module(architecture), options)
    return architecture, options


def _architecture(network: str, options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """What builds a network of a study, by default the one of its own name, and that one's options."""
    return options.get("source", network), {key: value for key, value in options.items() if key != "source"}


def check_network(where: str, name: str, options: dict[str, Any]) -> None:
    """Raise InputError, one sentence that begins with `where`, if there is no such network, or no such option of it."""
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
