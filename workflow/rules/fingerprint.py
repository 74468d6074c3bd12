"""The fingerprint of a job's code: the syntax trees of the definitions that it reaches.

A function, class or constant of the library is reached where something that is reached speaks of its name. Comments,
docstrings and formatting leave a fingerprint as it is, and so does every definition that the job never comes to; a
changed statement changes it for exactly the jobs that reach it. It is the same on every Python that runs the workflow.
"""

import ast
import atexit
import contextlib
import functools
import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from neural_collapse.storage import whole_file

LIBRARY = Path(__file__).parents[1] / "neural_collapse"
SOURCES = Path(".snakemake/records/sources.json")

# What decides whether and when a file is written, and not what is in it: a job's settings are its parameters, whoever
# checks them, and a stopped training goes on to the same bytes.
_DECIDES_NO_BYTE = ("errors", "locks", "config", "steps._options", "steps._stopping", "train.resume")
_DECIDES_BYTES = ("config.imbalance",)  # how many examples each class keeps


# What others call of a module that they load by name: a step, a network, a source of data, a loss, a figure.
_CALLED_BY_NAME = ("run", "build", "load", "loss", "draw", "read")


class Definition(NamedTuple):
    """A name that a module of the library defines; the empty name stands for all statements that define none."""

    module: str
    name: str


def forget() -> None:
    """Read every source anew from now on: until then each is read once."""
    for remembered in (fingerprint, reached, _read, _file):
        remembered.cache_clear()


def recall() -> None:
    """Take over what was read of each source, by the source's content, from the last process that remembered."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        _sources.update(json.loads(SOURCES.read_text()))


def remember() -> None:
    """Recall, and keep what this process reads for the next one."""
    recall()
    before = set(_sources)

    def keep() -> None:
        if _sources.keys() - before:
            with contextlib.suppress(OSError), whole_file(SOURCES) as temporary:  # a folder that is read-only
                temporary.write_text(json.dumps({content: _sources[content] for content in _seen}))

    atexit.register(keep)


@functools.cache
def fingerprint(*modules: str, library: Path = LIBRARY) -> str:
    """Sixteen hexadecimal digits for all that a step, and the modules that it loads by name, reach.

    Parameters
    ----------
    modules
        Such as "steps.train" and "train.networks.vgg".
    """
    found = [
        definition
        for definition in reached(*modules, library=library)
        if definition.module in _DECIDES_BYTES
        or not f"{definition.module}.".startswith(tuple(f"{module}." for module in _DECIDES_NO_BYTE))
    ]
    digests = [f"{module}:{name}:{_digest(_file(module, library), name)}" for module, name in found]
    digests = [digest for digest in digests if not digest.endswith(":")]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()[:16]


def fingerprint_of_files(paths: Iterable[Path]) -> str:
    """Sixteen digits for the names of a user's own Python files and what they say, but for comments and docstrings."""
    found = []
    for path in paths:
        text = path.read_bytes()
        try:
            said = "\n".join(_walk(ast.parse(text)))
        except (SyntaxError, ValueError):  # the job says so
            said = hashlib.sha256(text).hexdigest()
        found.append(f"{path.as_posix()}\n{said}")
    return hashlib.sha256("\n\n".join(found).encode()).hexdigest()[:16]


def closure(*modules: str, library: Path = LIBRARY) -> list[str]:
    """The modules that hold any definition that is reached; a package by its own name, the library by an empty one."""
    return sorted({definition.module for definition in reached(*modules, library=library)})


def last_touched(*modules: str, library: Path = LIBRARY) -> int:
    """When any file that the modules reach was last written or replaced, in nanoseconds; no edit can set this back."""
    return max(_file(module, library).stat().st_ctime_ns for module in closure(*modules, library=library))


@functools.cache
def reached(*modules: str, library: Path = LIBRARY) -> list[Definition]:
    """The definitions that the given modules reach, imports within functions included.

    A module whose name is used as such, or that looks itself up by `globals`, is reached whole. An import by name at
    run time is not seen: whoever asks names that module too.
    """
    found: set[Definition] = set()
    waiting: list[Definition] = []
    for module in modules:
        whole = _whole(module, library)
        waiting += [definition for definition in whole if definition.name in _CALLED_BY_NAME] or whole
    while waiting:
        definition = waiting.pop()
        module, name = definition
        source = _read(_file(module, library))
        if definition in found or source is None:
            continue
        if name in source.imported:
            found.add(definition)
            waiting += _imported(source.imported[name], module, library)
        elif name in source.digests:
            found.add(definition)
            waiting.append(Definition(module, ""))
            for used in source.names[name]:
                waiting += [Definition(module, used)] if used != "globals" else _whole(module, library)
            for imported in source.inner_imports[name]:
                waiting += _imported(imported, module, library)
            if not name:  # Python runs what a module imports before it, whether or not its names are used
                behind = [_imported(imported, module, library) for imported in source.imported.values()]
                waiting += [Definition(target.module, "") for targets in behind for target in targets]
            if module:  # Python runs a package before its modules
                waiting.append(Definition(module.rpartition(".")[0], ""))
    return sorted(found)


class _Import(NamedTuple):
    """What a name stands for that an import gives: a name of a module, or the module itself (None)."""

    level: int
    module: str
    name: str | None


class _Source(NamedTuple):
    """A module: the digest of each name it defines, the names this speaks of, and what the module imports."""

    digests: dict[str, str]
    names: dict[str, list[str]]
    inner_imports: dict[str, list[_Import]]
    imported: dict[str, _Import]


_sources: dict[str, list] = {}
"""The fields of each source that was read, by the digest of its content and of what reads it."""
_seen: set[str] = set()
"""Those that were asked for."""
_READER = Path(__file__).read_bytes()


@functools.cache
def _read(path: Path) -> _Source | None:
    if not path.is_file():
        return None
    text = path.read_bytes()
    content = hashlib.sha256(_READER + text).hexdigest()
    if content not in _sources:
        _sources[content] = list(_parsed(text))
    _seen.add(content)
    digests, names, inner, imported = _sources[content]
    return _Source(
        digests,
        names,
        {name: [_Import(*target) for target in targets] for name, targets in inner.items()},
        {name: _Import(*target) for name, target in imported.items()},
    )


def _parsed(text: bytes) -> _Source:
    nodes: dict[str, list[ast.stmt]] = {"": []}
    imported: dict[str, _Import] = {}
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            imported |= _bound(statement)
            continue
        if isinstance(statement, ast.If):  # for type checkers, most often
            for inner in ast.walk(statement):
                if isinstance(inner, ast.Import | ast.ImportFrom):
                    imported |= _bound(inner)
        for name in _defined(statement):
            nodes.setdefault(name, []).append(statement)
    names = {
        name: sorted({node.id for statement in of for node in ast.walk(statement) if isinstance(node, ast.Name)})
        for name, of in nodes.items()
    }
    inner = {
        name: [
            target
            for statement in of
            if not isinstance(statement, ast.If)
            for node in ast.walk(statement)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for target in _bound(node).values()
        ]
        for name, of in nodes.items()
    }
    digests = {name: hashlib.sha256("\n".join(_walk(of)).encode()).hexdigest() for name, of in nodes.items() if of}
    return _Source({"": "", **digests}, names, inner, imported)


def _defined(statement: ast.stmt) -> Iterable[str]:
    """The names that a statement at the top of a module defines; the empty name where it does something else."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        names = [node for target in targets for node in ast.walk(target)]
        if all(isinstance(node, ast.Name | ast.Tuple | ast.expr_context) for node in names):
            return [node.id for node in names if isinstance(node, ast.Name)]
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return []  # a docstring
    return [""]


def _bound(node: ast.Import | ast.ImportFrom) -> dict[str, _Import]:
    """The names that an import statement gives, and what they stand for."""
    if isinstance(node, ast.Import):
        return {alias.asname or alias.name.partition(".")[0]: _Import(0, alias.name, None) for alias in node.names}
    return {alias.asname or alias.name: _Import(node.level, node.module or "", alias.name) for alias in node.names}


def _imported(target: _Import, importer: str, library: Path) -> list[Definition]:
    """The definitions of the library behind an imported name; none where it comes from elsewhere."""
    module = [library.name, *filter(None, importer.split("."))]
    if target.level:
        package = module if _file(importer, library).name == "__init__.py" else module[:-1]
        full = [*package[: len(package) - target.level + 1], *filter(None, target.module.split("."))]
    else:
        full = target.module.split(".")
    if full[0] != library.name:
        return []
    inside = ".".join(full[1:])
    if target.name is None:
        return _whole(inside, library)
    submodule = f"{inside}.{target.name}".lstrip(".")
    if _read(_file(submodule, library)) is not None:
        return _whole(submodule, library)
    return [Definition(inside, target.name), Definition(inside, "")]


def _whole(module: str, library: Path) -> list[Definition]:
    source = _read(_file(module, library))
    if source is None:
        return []
    return [Definition(module, name) for name in (*source.digests, *source.imported)]


@functools.cache
def _file(module: str, library: Path) -> Path:
    path = library.joinpath(*filter(None, module.split(".")))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _digest(path: Path, name: str) -> str:
    """Of a definition, or of the import that gives a name; empty where there is nothing."""
    source = _read(path)
    assert source is not None, "what was reached is there"
    return repr(tuple(source.imported[name])) if name in source.imported else source.digests[name]


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
