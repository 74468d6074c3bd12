"""Tidy tables of measures: read, put into one order, and the questions that every reader asks of them.

A table has one row a value and the columns of `COLUMNS`; a *run* is the rows of one `RunKey`.
"""

import csv
import io
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..config.names import PLAIN, UNKNOWN
from ..errors import InputError
from .runs import COLUMNS, ZERO_ERROR, RunKey, in_paper_order

# Of simulated systems.
SYSTEM_COLUMNS = ["system", "classes", "examples_per_class", "features", "law", "time", "measure", "value"]
_NUMBERS = dict.fromkeys(("seed", "epoch", "classes", "examples_per_class", "features"), "int64") | {
    "time": "float64",
    "value": "float64",
}


# The headlines of a run: so few that `dvc metrics diff` of a study fits a screen.
_SUMMARISED = {
    "test_error": ("error", "test"),
    "nc1": ("nc1", "train"),
    "max_angle_means": ("max_angle_means", "train"),
    "self_duality": ("self_duality", "train"),
    "robustness": ("robustness__minimum", "test"),
}

# The curves that DVC's pages draw, a column each.
_DRAWN = {
    "train_error": ("error", "train"),
    **_SUMMARISED,
    "test_nc1": ("nc1", "test"),
    "max_angle_classifier": ("max_angle_classifier", "train"),
    "loss": ("loss", "train"),
    "loss_perp": ("loss_perp", "train"),
}


def read_tables(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Read tables of measures and put them together, sorted by their columns whatever the order of the files.

    Raises
    ------
    InputError
        Where a file is missing, is no such table, or where two files give a value for the same thing.
    """
    table = pd.concat([_read_tidy(path, COLUMNS, "epoch") for path in paths], ignore_index=True)
    _check_once(table)
    return table.sort_values(COLUMNS[:-1], ignore_index=True)


def _check_once(table: pd.DataFrame) -> None:
    twice = table[table.duplicated(COLUMNS[:-1])]
    if not twice.empty:
        first = twice.iloc[0]
        run = RunKey(*first[list(RunKey._fields)])
        raise InputError(
            f"{run}: {first.measure} ({first.split}) of epoch {first.epoch} is given twice; name each once."
        )


def _read_tidy(path: str | Path, columns: list[str], along: str) -> pd.DataFrame:
    types = {column: _NUMBERS.get(column, str) for column in columns}
    # A network may be named "null".
    table = read_csv(path, columns, dtype=types, keep_default_na=False, na_values={"value": ["nan"]})
    _check_whole(path, table, columns[: columns.index(along)], along)
    return table[columns]


def _check_whole(path: str | Path, table: pd.DataFrame, kinds: list[str], along: str) -> None:
    """Raise InputError where a measure lacks an epoch (or time) that others of the same kind and split have.

    A study attacks its networks at few epochs, and a variant of any measure may be too dear for all of them.
    """
    table = table[~table.measure.str.contains("__") & (table.measure != "robustness")]
    kinds = [*kinds, *table.columns.intersection(["split"])]
    present = table.groupby(kinds, sort=False)[along].transform("nunique")
    short = table[table.groupby([*kinds, "measure"], sort=False)[along].transform("nunique") < present]
    if not short.empty:
        raise InputError(
            f"{path}: {short.iloc[0].measure} ({short.iloc[0][kinds[-1]]}) is not there for every {along}; the file is "
            "damaged, make it again."
        )


def read_own_tables(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Read tables of `measure`, of a study or of one's own making (`tidy`), and put them together.

    Raises
    ------
    InputError
        Where a file is missing, is no such table, or where two files give a value for the same thing.
    """
    table = pd.concat([_read_own(path) for path in paths], ignore_index=True)
    _check_once(table)
    return table.sort_values(COLUMNS[:-1], ignore_index=True)


def _read_own(path: str | Path) -> pd.DataFrame:
    if not Path(path).is_file():
        raise InputError(f"{path}: there is no such file.")
    try:
        return tidy(pd.read_csv(path, keep_default_na=False, na_values=["nan", "NaN", ""]))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (OSError, ValueError, OverflowError) as error:
        raise InputError(f"{path}: can't be read as a table ({' '.join(str(error).split())}).") from None


def tidy(table: pd.DataFrame) -> pd.DataFrame:
    """Give anyone's table of measures the columns of `COLUMNS`, a row a value.

    Parameters
    ----------
    table: with the columns `measure` and `value`, or a column of numbers for each measure (those of test data may begin
        with `test_`); and as many as it likes of the others: who trained what is unknown where it doesn't say so, seed
        and epoch are 0, the split is "train".

    Raises
    ------
    InputError
        In one sentence, where a column holds what it can't.
    """
    table = table.rename(columns=lambda name: str(name).strip())
    unknown = dict.fromkeys(("dataset", "network", "loss"), UNKNOWN)
    absent: dict[str, str | int] = {**unknown, "variant": PLAIN, "seed": 0, "epoch": 0, "split": "train"}
    if "measure" not in table or "value" not in table:
        # `loss` may be the name of the loss, or its value.
        keys = [name for name in absent if name in table and not (name == "loss" and _is_number(table[name]))]
        measures = [name for name in table.columns.difference(keys, sort=False) if _is_number(table[name])]
        if not measures:
            raise InputError(
                "there are no measures; a table has the columns measure and value, or one for each measure."
            )
        table = table.melt(keys, measures, var_name="measure", value_name="value")
        if "split" not in keys:
            table["split"] = np.where(table.measure.str.startswith("test_"), "test", "train")
            table["measure"] = table.measure.str.removeprefix("test_")
    table = table.assign(**{name: value for name, value in absent.items() if name not in table})[COLUMNS]
    for name in ("seed", "epoch", "value"):
        numbers = pd.to_numeric(table[name], errors="coerce")
        if name != "value" and (numbers.isna() | (numbers % 1 != 0) | (numbers < 0)).any():
            raise InputError(f"{name} must be a whole number of at least 0 in every row.")
        if name == "value" and (numbers.isna() & table[name].notna()).any():
            raise InputError("the column value holds what is no number.")
        table[name] = numbers.astype("float64" if name == "value" else "int64")
    text = dict.fromkeys(("dataset", "network", "loss", "variant", "split", "measure"), str)
    if table[["dataset", "network", "loss", "variant", "measure"]].isna().any(axis=None):
        raise InputError(
            "a row lacks its dataset, network, loss, variant or measure; leave the whole column out, or fill it."
        )
    table["split"] = table["split"].replace({"val": "test", "valid": "test", "validation": "test"})
    if not set(table["split"]) <= {"train", "test"}:
        raise InputError(f"split must be train or test, found {', '.join(map(str, table['split'].unique()[:5]))}.")
    return table.dropna(subset="value").astype(text)


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def read_systems(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Read tables of simulated systems (the theory layer) and put them together.

    Raises
    ------
    InputError
        Where a file is missing or no such table, or where a value is given twice.
    """
    table = pd.concat([_read_tidy(path, SYSTEM_COLUMNS, "time") for path in paths], ignore_index=True)
    if (twice := table.duplicated(SYSTEM_COLUMNS[:-1])).any():
        first = table[twice].iloc[0]
        raise InputError(f"{first.system}: {first.measure} of time {first.time:g} is given twice; name each once.")
    return table


def read_checks(path: str | Path) -> pd.DataFrame:
    """Read the checks of the theory: a row each, with the columns check, statement, value, bound, source."""
    types = {"check": str, "statement": str, "value": "float64", "bound": "float64", "source": str}
    return read_csv(path, list(types), dtype=types)


def read_csv(path: str | Path, columns: Iterable[str] = (), **options: Any) -> pd.DataFrame:
    """Read a table of `write_csv`; raises InputError where it is missing, damaged or lacks one of `columns`.

    Since pandas 3.1, a float is read back as the very float64 that was written.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such file.")
    cut = InputError(f"{path}: its last line has no end, so it was cut; make it again.")
    content = b""
    try:
        content = path.read_bytes()
        table = pd.read_csv(io.BytesIO(content), **options)
        header, *rows = csv.reader(io.StringIO(content.decode()))
    except (OSError, ValueError, OverflowError, csv.Error) as error:
        if b"\n" in content and not content.endswith(b"\n"):
            raise cut from None
        raise InputError(f"{path}: can't be read as a table ({' '.join(str(error).split())}).") from None
    # pandas takes a row that is short, or the last one without its end.
    if not content.endswith(b"\n"):
        raise cut
    for number, row in enumerate(rows, 2):
        if len(row) != len(header) or "" in row:
            raise InputError(f"{path}: row {number} lacks a value; the file is damaged, make it again.")
    if absent := [column for column in columns if column not in table]:
        raise InputError(f"{path}: no {','.join(absent)}; the columns of such a table are {','.join(columns)}.")
    return table


def runs(table: pd.DataFrame) -> Iterator[tuple[RunKey, pd.DataFrame]]:
    """Every run and its rows, by `in_paper_order`."""
    groups = {RunKey(*key): rows for key, rows in table.groupby(list(RunKey._fields), sort=False)}
    for run in sorted(groups, key=in_paper_order):
        yield run, groups[run]


def curve(run: pd.DataFrame, measure: str, split: str = "train") -> pd.Series:
    """The values of one measure of a run (float64), indexed by epoch in rising order; empty where there are none."""
    rows = run[(run.measure == measure) & (run.split == split)]
    return rows.set_index("epoch").value.sort_index()


def zero_error_epoch(run: pd.DataFrame, threshold: float = ZERO_ERROR) -> int | None:
    """The first *measured* epoch of a run with train error <= `threshold` in `eval()` mode; None where there is none.

    0.001 is Papyan, Han & Donoho's working definition of zero error (train accuracy >= 99.9 %), 0.0 the literal one.
    The resolution is that of the measured epochs: the error may have reached the threshold at any epoch after the
    measured one before. It may rise above the threshold again later, too: this is the first time.
    """
    error = curve(run, "error")
    reached = error.index[error <= threshold]
    return int(reached[0]) if len(reached) else None


def to_text(table: pd.DataFrame) -> str:
    """A table for a terminal: a measure a line, and a column for each network, epoch and split where there are several.

    What all columns share is left out of their headings, and the values of an epoch in between of more than fit.
    """
    shown = table.assign(measure=pd.Categorical(table.measure, table.measure.unique()))
    keys = [key for key in (*RunKey._fields, "epoch", "split") if table[key].nunique() > 1]
    if not keys:
        width = int(table.measure.str.len().max())
        return "\n".join(
            f"{name:<{width}}  {value:.9g}" for name, value in zip(table.measure, table.value, strict=True)
        )
    wide = shown.pivot(index="measure", columns=keys, values="value").rename_axis(index=None)
    most = 8
    if wide.shape[1] > most:
        places = np.unique(np.linspace(0, wide.shape[1] - 1, most).round().astype(int))
        wide = wide.iloc[:, places]
    return wide.to_string(float_format="{:.4g}".format, na_rep="–")


def summarise(run: pd.DataFrame) -> dict[str, float | None]:
    """Of the rows of one run: its zero-error epoch (None: never), and its headlines at the last epoch.

    NC1 is given as its logarithm to base 10, because DVC rounds to five decimals. A measure that was not taken is left
    out; one that is not finite is None.

    Raises
    ------
    InputError
        For several runs.
    """
    described = run[list(RunKey._fields)].drop_duplicates()
    if len(described) != 1:
        found = ", ".join(str(RunKey(*row)) for row in described.itertuples(index=False))
        raise InputError(f"one run is summed up at a time; found {found or 'none'}.")
    summary = {"zero_error_epoch": zero_error_epoch(run)}
    for name, (measure, split) in _SUMMARISED.items():
        values = curve(run, measure, split)
        if len(values):
            last = float(values.iloc[-1])
            if name == "nc1":
                name, last = "log10_nc1", math.log10(last) if last > 0 else math.nan
            summary[name] = last if math.isfinite(last) else None  # JSON has no other numbers
    return summary


def drawn_curves(table: pd.DataFrame) -> pd.DataFrame:
    """The main curves of all runs for DVC's pages: columns run, epoch, and one a measure; NaN where it wasn't taken."""
    parts = []
    for run, rows in runs(table):
        columns = {name: curve(rows, *of) for name, of in _DRAWN.items()}
        parts.append(pd.DataFrame(columns).rename_axis("epoch").reset_index().assign(run=str(run)))
    return pd.concat(parts, ignore_index=True)[["run", "epoch", *_DRAWN]]
