"""What the modules of the library declare, read from their sources without importing them: an import may load torch."""

import ast
import functools
from pathlib import Path
from typing import Any

_LIBRARY = Path(__file__).parent


@functools.cache
def syntax_tree(module: str) -> ast.Module:
    """Of a module by its name in the library, such as "networks.vgg"."""
    return ast.parse((_LIBRARY / f"{module.replace('.', '/')}.py").read_text())


@functools.cache
def literals(module: str) -> dict[str, Any]:
    """The upper-case literals that a module assigns, by name."""
    found = {}
    for node in syntax_tree(module).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper():
            try:
                found[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:  # a computed value is nobody's declaration
                continue
    return found
