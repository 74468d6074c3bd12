"""Figure: how far classes come to be from each other where features are few, and how far they can be."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from ..storage import read_json
from ..theory.spherical_codes import greatest_one_vs_rest
from .settings import Bound, Measured, draw_against_settings
from .settings import read as read_settings

READS = "codes"
_MEASURES = (
    Measured("one-vs-rest distance of class means", "one_vs_rest_means"),
    Measured("one-vs-rest distance of classifiers", "one_vs_rest_classifier"),
)


def read(paths: Sequence[Path]) -> tuple[pd.DataFrame, pd.DataFrame, int | None]:
    """Tables of measures, the table of runs, and how many classes the cards behind them say: None where they differ."""
    tables = [path for path in paths if path.suffix == ".csv"]
    cards = [read_json(path, "a data set's card", "classes") for path in paths if path.suffix == ".json"]
    classes = {len(card["classes"]) for card in cards}
    return *read_settings(tables), classes.pop() if len(classes) == 1 else None


def draw(tables: tuple[pd.DataFrame, pd.DataFrame, int | None]) -> Figure:
    """Draw the figure."""
    table, settings, classes = tables
    best = None if classes is None else Bound("best code", partial(greatest_one_vs_rest, classes))
    return draw_against_settings(table, settings, _MEASURES, only="network.bottleneck", bound=best)
