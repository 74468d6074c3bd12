"""The cards of data sets, as flags name them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..config.checks import check_setting, definition
from ..storage import read_json

_COUNTS = {"type": "array", "items": {"type": "integer", "minimum": 1}}


def read_cards(paths: Iterable[Path], *more: str) -> list[dict[str, Any]]:
    """Read cards; raises InputError where one is damaged in what counts: its name, its test images, and `more`."""
    cards = []
    for path in paths:
        card = read_json(path, "a data set's card", "name", "test_per_class", *more)
        check_setting(f"{path}: name", card["name"], definition("name") | {"type": "string"})
        for key in {"test_per_class", "train_per_class"} & card.keys():
            check_setting(f"{path}: {key}", card[key], _COUNTS)
        cards.append(card)
    return cards


def test_images(cards: Iterable[dict[str, Any]]) -> dict[str, int]:
    """How many test images each data set has; the fewest where it was prepared in several ways."""
    sizes = [(card["name"], sum(card["test_per_class"])) for card in cards]
    return dict(sorted(sizes, reverse=True))
