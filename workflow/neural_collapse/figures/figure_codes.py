"""Figure: how far classes come to be from each other where features are few, and how far they can be."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from ..errors import InputError
from ..storage import read_json
from ..theory.spherical_codes import greatest_one_vs_rest
from .settings import Bound, Measured, draw_against_settings
from .settings import read as read_settings

READS = "codes"
_MEASURES = (
    Measured("one-vs-rest distance of class means", "one_vs_rest_means"),
    Measured("one-vs-rest distance of classifiers", "one_vs_rest_classifier"),
)


def read(paths: Sequence[Path]) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Tables of measures, the table of runs, and the number of classes, which the cards behind them say."""
    tables = [path for path in paths if path.suffix == ".csv"]
    cards = [read_json(path, "a data set's card", "classes") for path in paths if path.suffix == ".json"]
    classes = {len(card["classes"]) for card in cards}
    if len(classes) != 1:
        raise InputError(f"the data sets have {sorted(classes)} classes: a code is of one number of them.")
    return *read_settings(tables), classes.pop()


def draw(tables: tuple[pd.DataFrame, pd.DataFrame, int]) -> Figure:
    """Draw the figure."""
    table, settings, classes = tables
    best = Bound("best code", lambda features: greatest_one_vs_rest(classes, features))
    return draw_against_settings(table, settings, _MEASURES, only="network.bottleneck", bound=best)
