"""The fingerprint of a job's code: the syntax trees of the library modules it reaches.

Comments, docstrings and formatting leave it as it is; a changed statement changes it, for exactly the jobs that reach
the module by imports. It is the same on every Python that runs the workflow.
"""

import ast
import functools
import hashlib
from collections.abc import Iterator
from pathlib import Path

import yaml

LIBRARY = Path(__file__).parents[1] / "neural_collapse"


def fingerprint(*modules: str, library: Path = LIBRARY) -> str:
    """Sixteen hexadecimal digits for everything that `modules` (such as "steps.train", "networks.vgg") import."""
    digests = [f"{module}:{_digest(_file(module, library))}" for module in closure(*modules, library=library)]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()[:16]


def closure(*modules: str, library: Path = LIBRARY) -> list[str]:
    """The library's modules that the given ones reach by import statements, wherever in the file those stand.

    A package is reached with each of its modules, because Python runs its `__init__` first; it is named by its own
    name, the library itself by the empty string. An import by name at run time is not seen: whoever asks names that
    module too.
    """
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += _imports(module, library)
            if module:
                waiting.append(module.rpartition(".")[0])
    return sorted(found)


def pinned_packages(environment: str) -> list[str]:
    """The packages that an environment of envs/ pins, such as "training"."""
    content = yaml.safe_load((LIBRARY.parents[1] / "envs" / f"{environment}.yaml").read_text())
    return sorted(content["dependencies"])


def _file(module: str, library: Path) -> Path:
    path = library.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@functools.cache
def _imports(module: str, library: Path) -> tuple[str, ...]:
    package = module.split(".") if _file(module, library).name == "__init__.py" else module.split(".")[:-1]
    package = [library.name, *filter(None, package)]
    names = []
    for node in ast.walk(_tree(_file(module, library))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = [*base, *filter(None, (node.module or "").split("."))]
            names.append(".".join(base))
            names += [".".join([*base, alias.name]) for alias in node.names]
    inside = [
        name.removeprefix(library.name).lstrip(".") for name in names if f"{name}.".startswith(f"{library.name}.")
    ]
    return tuple(name for name in inside if _file(name, library).is_file())


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@functools.cache
def _digest(path: Path) -> str:
    return hashlib.sha256("\n".join(_walk(_tree(path))).encode()).hexdigest()


def _walk(node: object) -> Iterator[str]:
    """Every node and value of a syntax tree, but positions, docstrings and whatever is empty.

    Empty fields are passed over because newer Pythons add fields (such as `type_params`) that older sources leave
    empty.
    """
    if isinstance(node, ast.AST):
        yield f"({type(node).__name__}"
        for name, value in ast.iter_fields(node):
            if name == "body" and _has_docstring(node):
                value = value[1:]
            if isinstance(node, ast.JoinedStr):  # Python 3.12.1 ends some format specifications with an empty string
                value = [part for part in value if not (isinstance(part, ast.Constant) and part.value == "")]
            if value is not None and value != []:
                yield name
                yield from _walk(value)
        yield ")"
    elif isinstance(node, list):
        yield "["
        for item in node:
            yield from _walk(item)
        yield "]"
    else:
        yield f"{type(node).__name__} {node!r}"


def _has_docstring(node: ast.AST) -> bool:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None
