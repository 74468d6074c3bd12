"""Flags that hold options of a network or a loss."""

import argparse
import ast


def key_value(text: str) -> tuple[str, object]:
    """The argument `KEY=VALUE` as a pair, numbers as numbers."""
    key, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"'{text}' is not of the form KEY=VALUE")
    try:
        return key, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return key, value
