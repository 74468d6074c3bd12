"""Measure, draw and explain neural collapse.

The public names are loaded on first use, so that importing one step's module never loads (or depends on) the others.
"""

import importlib
from typing import Any

__version__ = "1.0.0"

_HOME = {
    "collapse_measures": "metrics.measures",
    "class_measures": "metrics.measures",
    "regression_measures": "metrics.regression",
    "one_vs_rest_distances": "metrics.pairs",
    "geometry_measures": "metrics.measures",
    "decompose_loss": "metrics.decomposition",
    "CollapseAccumulator": "features.accumulation",
    "CollapseMetric": "metrics.streaming",
    "read_features": "features.files",
    "measure_files": "metrics.files",
    "measure": "metrics.loops",
    "draw_figures": "figures.all",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
