"""How trainings are called: the parts that a name is put together from, and how it is taken apart again."""

from decimal import Decimal
from typing import Any

PLAIN = "plain"
"""The variant of a training that has none; no name says so."""

UNKNOWN = "unknown"
"""The data set, network or loss that nobody named: printed as nothing."""

LEFT_OUT = "left_out"
"""Out of distribution, in place of a data set's name: the classes that a run's own data leave out."""

OTHER_TABLES = ("checks", "unconstrained_features")
"""The tables of the theory that are of no system which a study names."""


def pair_name(dataset: str, network: str, loss: str, variant: str) -> str:
    """A training without its seed, `{dataset}-{network}-{loss}`, with `-{variant}` where it is one of several.

    The network alone, where nothing else is known of it.
    """
    if (dataset, loss, variant) == (UNKNOWN, UNKNOWN, PLAIN):
        return network
    return "-".join([dataset, network, loss, *([variant] if variant != PLAIN else [])])


def parts_of_pair(name: str) -> tuple[str, str, str, str]:
    """The data set, network, loss and variant of `pair_name`.

    Raises
    ------
    ValueError
        Where it is no such name.
    """
    if "-" not in name:
        return UNKNOWN, name, UNKNOWN, PLAIN
    dataset, network, loss, *variant = name.split("-")
    if len(variant) > 1 or variant == [PLAIN]:
        raise ValueError(f"{name!r} has too many parts")
    return dataset, network, loss, variant[0] if variant else PLAIN


def name_of_settings(settings: dict[str, Any]) -> str:
    """What tells settings from others, as part of a file's name: `weight_decay_0.005_batch_norm_false`."""
    return "_".join(f"{key.rpartition('.')[2]}_{_word(value)}" for key, value in settings.items())


def _word(value: Any) -> str:
    if isinstance(value, list):
        return "_".join(map(_word, value)) or "none"
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f")  # 0.00001, where repr has a hyphen
    return str(value).lower()
