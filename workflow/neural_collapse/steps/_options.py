"""Flags with the bounds of the configuration, and flags that hold options of a network or a loss."""

import argparse
import ast
from collections.abc import Callable
from typing import Any

from ..config.checks import definition, mistake

_TYPES = {"integer": int, "number": float}


def setting(*place: str) -> Callable[[str], Any]:
    """The type of a flag whose values the configuration's schema describes at `place` (see `definition`)."""
    schema = definition(*place)
    kinds = [choice.get("type") for choice in (schema, *schema.get("oneOf", []))]  # a number or a word
    convert = next((_TYPES[kind] for kind in kinds if kind in _TYPES), str)

    def checked(text: str) -> Any:
        try:
            value = convert(text)
        except ValueError:
            value = text
        if found := mistake(value, schema):
            raise argparse.ArgumentTypeError(found)
        return value

    return checked


def key_value(text: str) -> tuple[str, object]:
    """The argument `KEY=VALUE` as a pair, numbers as numbers."""
    key, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"'{text}' is not of the form KEY=VALUE")
    try:
        return key, ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return key, value
