"""Figure: how far collapse and test error have come at the last epoch, against the settings that the study varies."""

import pandas as pd
from matplotlib.figure import Figure

from .settings import Measured, draw_against_settings
from .settings import read as read_settings

READS = "settings"
_MEASURES = (
    Measured("NC1: variability within classes", "nc1", log=True),
    Measured("NC2: angles of class means", "max_angle_means"),
    Measured("NC2: angles of classifiers", "max_angle_classifier"),
    Measured("NC3: self-duality", "self_duality", log=True),
    Measured("train error", "error"),
    Measured("test error", "error", split="test"),
    # Where classes are imbalanced.
    Measured("cosine of minority class means", "minority_cosine_means"),
    Measured("cosine of minority classifiers", "minority_cosine_classifier"),
)

read = read_settings


def draw(tables: tuple[pd.DataFrame, pd.DataFrame]) -> Figure:
    """Draw the figure."""
    return draw_against_settings(*tables, _MEASURES)
