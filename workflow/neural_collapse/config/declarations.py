"""What the library knows, read from the sources of its modules without importing them: an import may load torch.

A module declares itself by literals in upper case (`DEPTHS` of a network, `PADDING` of a source of data) and by the
keywords of the one function that others call by the module's name.
"""

import ast
import functools
import importlib.util
import re
from pathlib import Path
from typing import Any

from ..errors import InputError

LIBRARY = Path(__file__).parents[1]


@functools.cache
def modules(package: str) -> list[str]:
    """The names of a package's public modules, such as those of "train.networks"."""
    return sorted(path.stem for path in LIBRARY.joinpath(*package.split(".")).glob("[!_]*.py"))


@functools.cache
def _syntax_tree(module: str) -> ast.Module:
    return ast.parse(LIBRARY.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8"))


@functools.cache
def literals(module: str) -> dict[str, Any]:
    """The upper-case literals that a module assigns, by name; of a module by its name, such as "figures.figure_02"."""
    found = {}
    for node in _syntax_tree(module).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper():
            try:
                found[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:  # a computed value is nobody's declaration
                continue
    return found


def _arguments(module: str, function: str) -> ast.arguments:
    for node in _syntax_tree(module).body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            return node.args
    raise InputError(f"{module.replace('.', '/')}.py: there is no function `{function}`; write one.")


def known_sources() -> list[str]:
    """The sources of published data, which need no path; `arrays` and `folder` load a user's own."""
    return [name for name in modules("data.sources") if not reads_path(name)]


def reads_path(source: str) -> bool:
    """Whether a source of data reads a user's own file or folder, its `path`."""
    return literals(f"data.sources.{source}").get("READS_PATH", False)


def known_losses() -> list[str]:
    return modules("train.losses")


def options_of_loss(name: str) -> dict[str, dict[str, Any]]:
    """The arguments of a loss after logits and labels, each with the JSON schema of its values."""
    module = f"train.losses.{name}"
    bounds = literals(module).get("OPTIONS", {})
    return {entry.arg: bounds.get(entry.arg, {"type": "number"}) for entry in _arguments(module, "loss").args[2:]}


def known_networks() -> list[str]:
    """Every network of the library's own families, such as `vgg11`; torchvision's models come on top."""
    return [
        f"{stem}{depth}"
        for stem in modules("train.networks")
        for depth in literals(f"train.networks.{stem}").get("DEPTHS", ())
    ]


def family_and_depth(network: str) -> tuple[str, int | str]:
    """The module that builds a network, and what it has to be told: the depth, or a name of another's."""
    if ":" in network:
        return "own_function", network
    parts = re.fullmatch(r"([a-z][a-z_]*)([0-9]+)", network)
    if parts and parts[1] in modules("train.networks"):
        return parts[1], int(parts[2])
    if network.startswith("timm_"):
        return "timm_model", network.removeprefix("timm_")
    return "torchvision_model", network


def building_module(network: str) -> str:
    """The module that builds a network: "resnet" for "resnet18", "own_function" for "module:function"."""
    return family_and_depth(network)[0]


def of_another_library(network: str) -> bool:
    """Whether a network comes from another library, which alone knows its options and the images that it takes."""
    return options_of_family(building_module(network)) is None


def options_of_family(name: str) -> dict[str, dict[str, Any]] | None:
    """The options of a family of networks that a user may set, its own and every family's, each with its JSON schema.

    None where they are another library's, which knows them once it builds the network.
    """
    own = literals(f"train.networks.{name}")["OPTIONS"]
    return None if own is None else own | literals("train.networks._head")["OPTIONS"]


@functools.cache
def torchvision_models() -> frozenset[str] | None:
    """The names of torchvision's models, or None where it is not installed beside the workflow (conda)."""
    found = importlib.util.find_spec("torchvision")
    if found is None or found.origin is None:
        return None
    sources = Path(found.origin).parent.joinpath("models").glob("*.py")
    return frozenset(
        re.findall(r"^@register_model\(\)\n(?:@.*\n)*def (\w+)", "\n".join(s.read_text() for s in sources), re.M)
    )


def known_figures() -> list[str]:
    return [module.replace("_", "-") for module in modules("figures") if module.startswith("figure_")]
