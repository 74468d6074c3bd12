"""What runs bring in place of a training: their files, and what such a run may say beside these."""

import re
from dataclasses import dataclass
from typing import Any

from ..errors import InputError
from .checks import defaults
from .settings import training_schema


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


# What a run may say beside the files that it brings.
_BESIDE = {
    "features": ("arrays", "weight_decay", "seeds"),
    "checkpoints": ("network", "dataset", "loss_options", "weight_decay", "batch_size", "threads", "seeds"),
}


def kind_brought(own: dict[str, Any]) -> str | None:
    """Which files a run brings, "features" or "checkpoints"; None of one that is trained."""
    return next((kind for kind in _BESIDE if kind in own), None)


def brought_by_seed(where: str, own: dict[str, Any], study: dict[str, Any]) -> dict[int, Brought]:
    """What a run brings in place of a training, by its seeds; nothing of one that is trained."""
    kind = kind_brought(own)
    if kind is None:
        if "arrays" in own:
            raise InputError(f"{where}.arrays: names arrays in files of features; give these as `features`.")
        return {}
    for key in own:
        if key not in (kind, *_BESIDE[kind]):
            raise InputError(
                f"{where}: '{key}' is nothing to a run that brings its {kind}; it may say {', '.join(_BESIDE[kind])}."
            )
    files = [own[kind]] if isinstance(own[kind], str) else own[kind]
    for file in files:
        _check_file(f"{where}.{kind}", file)
    of_seeds = any("{seed}" in file for file in files)
    seeds = own.get("seeds", study["seeds"] if of_seeds else [0])
    if len(seeds) > 1 and not of_seeds:
        raise InputError(f"{where}.{kind}: the files of {len(seeds)} seeds need {{seed}} in their path.")
    return {
        seed: Brought(kind, tuple(file.replace("{seed}", str(seed)) for file in files), own.get("arrays", {}))
        for seed in seeds
    }


def settings_of_brought(kind: str, own: dict[str, Any], study: dict[str, Any]) -> dict[str, Any]:
    """The settings that measuring needs; without weight decay, where nobody says what a training elsewhere had."""
    given = {"weight_decay": 0} | study["training"] | own | study["override"]
    common = defaults(training_schema())
    return {key: value for key, value in (common | given).items() if key in common and key in _BESIDE[kind]}


def _check_file(where: str, file: str) -> None:
    unknown_marks = set(re.findall("{[^}]*}", file)) - {"{epoch}", "{seed}"}
    if unknown_marks or file.count("{epoch}") > 1:
        raise InputError(f"{where}: '{file}' may hold {{epoch}} once, {{seed}}, * and no other such mark.")
    if re.match(r"(\./)?[^/]*[*{]", file):
        raise InputError(f"{where}: '{file}' must lie in a folder of its own, such as dumps/{file}.")
