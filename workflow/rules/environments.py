"""The packages that decide the bytes of a job's results: their pins are its parameters, their versions are recorded.

Another pin of a package that decides nothing (a progress bar, the reader and writer of a format that is fixed) makes
nothing stale, and another pin of torch only what runs torch.
"""

import ast
import functools
import importlib.metadata
import re
import sys
from collections.abc import Iterable

from fingerprint import LIBRARY, closure

ENVIRONMENTS = LIBRARY.parents[1] / "envs"
IN_CONDA = {"torch": "pytorch", "matplotlib": "matplotlib-base"}
"""What conda calls a package, where that differs."""

_TORCH = ("torch", "numpy")
_NUMBERS = ("numpy", "scipy")
_TABLES = ("numpy", "pandas")
_PICTURES = ("numpy", "pandas", "matplotlib")
DECIDED_BY = {
    "prepare_dataset": ("numpy",),
    "train": _TORCH,
    "try_learning_rate": _TORCH,
    "find_files": (),
    "take_checkpoints": _TORCH,
    "extract_features": _TORCH,
    "extract_out_of_distribution": _TORCH,
    "attack": _TORCH,
    "measure_run": _NUMBERS,
    "measure_features": (*_NUMBERS, "pandas"),
    "measure_out_of_distribution": _NUMBERS,
    "simulate_central_path": _NUMBERS,
    "simulate_unconstrained_features": _NUMBERS,
    "check_theory": _NUMBERS,
    "choose_learning_rate": _TABLES,
    "collect_sweep": _TABLES,
    "summarise": _TABLES,
    "collect": _TABLES,
    "list_runs": _TABLES,
    "claims": (*_TABLES, "scipy"),
    "table": _TABLES,
    "figure": _PICTURES,
    "portrait": ("numpy",),
    "report": (*_TABLES, "scipy", "jinja2", "docutils", "vl-convert-python"),
}
"""The packages that compute what a step writes."""

IMPORTED_AS = {"torchvision": "torchvision", "seaborn": "seaborn", "scikit-learn": "sklearn", "pillow": "PIL"}
"""Packages that only some modules loaded by name compute with (a source of data, a network): they decide where those
import them. Each has the name it is imported by."""


def deciding(step: str, *loaded: str) -> list[str]:
    """The packages that decide what a step (such as "steps.train") writes with the modules that it loads by name."""
    imported = set().union(*(imports(module) for module in closure(*loaded)))
    some = {package for package, name in IMPORTED_AS.items() if name in imported}
    return sorted({*DECIDED_BY[step.removeprefix("steps.")], *some})


def pins(step: str, *loaded: str) -> list[str]:
    """The deciding packages as envs/ pins them, such as "numpy =2.4.6"."""
    pinned = _pinned()
    return [f"{package} {pinned[IN_CONDA.get(package, package)]}" for package in deciding(step, *loaded)]


def ran_with(step: str, *loaded: str) -> dict[str, str]:
    """The versions that this process has of the deciding packages, and the kind of device it has used.

    To be called by the process that ran the step, after it: the device is a GPU's name where torch has computed on one
    here, and "cpu" otherwise. None of the packages is imported for this.
    """
    ran = {package: importlib.metadata.version(package) for package in deciding(step, *loaded)}
    torch = sys.modules.get("torch")
    on_gpu = torch is not None and torch.cuda.is_initialized()
    return ran | {"device": torch.cuda.get_device_name() if on_gpu else "cpu"}


def mixture(ran: Iterable[dict[str, str]]) -> str | None:
    """One line about results of one study that other versions or devices made, or None where all are alike.

    Parameters
    ----------
    ran
        What each job ran with: `ran_with`'s, or an empty dictionary where nobody knows. Devices are compared among jobs
        that ran torch, because no other can use one.
    """
    seen: dict[str, set[str]] = {}
    for job in ran:
        for name, version in job.items():
            if name != "device" or "torch" in job:
                seen.setdefault(name, set()).add(version)
    mixed = [f"{name} {' and '.join(sorted(versions))}" for name, versions in sorted(seen.items()) if len(versions) > 1]
    return f"these results mix what made them: {'; '.join(mixed)}." if mixed else None


@functools.cache
def _pinned() -> dict[str, str]:
    """Conda's name and pin of every package of envs/ (by its lines: jobs in conda environments have no YAML reader)."""
    text = "".join(file.read_text(encoding="utf-8") for file in sorted(ENVIRONMENTS.glob("*.yaml")))
    return dict(re.findall(r"^ +- ([\w-]+) (\S+)$", text, re.M))


@functools.cache
def imports(module: str) -> frozenset[str]:
    """The first parts of all names that a module of the library imports, wherever in the file."""
    path = LIBRARY.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.append(node.module)
    return frozenset(name.partition(".")[0] for name in names)
