"""What was set for each run (`runs.csv`), and which of it a study varies."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import InputError
from ..storage import write_csv
from .runs import RunKey, in_paper_order

_TRAINING = [name for name in RunKey._fields if name != "seed"]
_PAIR = ["dataset", "network", "loss"]


def write_runs(path: str | Path, rows: Iterable[Mapping[str, Any]], chosen: pd.DataFrame | None = None) -> None:
    """Write a row a run: the first columns of every table, then a column a setting, empty where a run has none such.

    Parameters
    ----------
    rows: of `config.runs.settings_of_runs`; written by data set, network and loss in the paper's order, and otherwise
        as they come. Lists are written with spaces between their values.
    chosen: what sweeps tried and kept, of `collect-sweep`. A training has the rate that was kept last.
    """
    keys = list(RunKey._fields)
    table = pd.DataFrame(sorted(rows, key=lambda row: in_paper_order(RunKey(*map(row.__getitem__, keys)))[:4]))
    table = table[[*keys, *table.columns.difference(keys, sort=False)]]
    if chosen is not None:
        rates = chosen[chosen.kept].sort_values("round").groupby(_TRAINING).learning_rate.last()
        swept = table.learning_rate == "sweep"
        table.loc[swept, "learning_rate"] = [rates[tuple(row)] for row in table.loc[swept, _TRAINING].to_numpy()]
    write_csv(path, table.map(lambda value: " ".join(map(str, value)) if isinstance(value, list) else value))


def read_runs(path: str | Path) -> pd.DataFrame:
    """Read a table of `write_runs`; raises InputError where it is missing or is no such table."""
    try:
        table = pd.read_csv(path, dtype=dict.fromkeys(_TRAINING, str), keep_default_na=False, na_values=["nan"])
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file.") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: can't be read as a table ({' '.join(str(error).split())}).") from None
    absent = [name for name in RunKey._fields if name not in table]
    if absent or table.empty:
        raise InputError(f"{path}: no {','.join(absent) or 'runs'}; make it again by `list-runs`.")
    return table


def varied(runs: pd.DataFrame) -> list[str]:
    """The settings that differ between trainings of one data set, network and loss."""
    values = runs.groupby(_PAIR)[list(runs.columns.difference(RunKey._fields, sort=False))].nunique(dropna=False)
    return [name for name in values if values[name].max() > 1]


def along(runs: pd.DataFrame, setting: str) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """The runs that differ in one setting (or in their loss) and their seed alone, and what all of them share.

    Of what they share, the data set, network and loss, and those settings that tell them from the runs of another line.
    """
    shared = [name for name in _PAIR if name != setting]
    shared += varied_beside(runs, setting) if setting not in _PAIR else []
    for values, rows in runs.groupby(shared, dropna=False, sort=False):
        yield dict(zip(shared, values, strict=True)), rows


def in_words(setting: str, value: Any = "") -> str:
    """A setting, and its value, as a reader calls them: `batch norm false` for `network.batch_norm`."""
    words = setting.rpartition(".")[2].replace("_", " ")
    return f"{words} {value:g}" if isinstance(value, float) else f"{words} {value}".strip().lower()


def varied_beside(runs: pd.DataFrame, setting: str) -> list[str]:
    """Of the settings that vary, those that still do among trainings with the same value of one of them."""
    others = [name for name in varied(runs) if name != setting]
    values = runs.groupby([*_PAIR, "seed", setting], dropna=False)[others].nunique(dropna=False)
    return [name for name in others if values[name].max() > 1]
