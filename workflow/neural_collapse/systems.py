"""Tables of simulated systems on the central path: one row a value."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from .errors import InputError

# The system's name, C, N and P; the law it follows (central_path.LAWS), and when.
COLUMNS = ["system", "classes", "examples_per_class", "features", "law", "time", "measure", "value"]


def read_systems(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Read tables of `simulate-central-path` and put them together, the systems with the fewest classes first.

    Raises InputError where a file is missing or is no such table.
    """
    table = pd.concat([_read_system(path) for path in paths], ignore_index=True)
    return table.sort_values(["classes", "examples_per_class", "features", "system"], kind="stable", ignore_index=True)


def _read_system(path: str | Path) -> pd.DataFrame:
    if not Path(path).is_file():
        raise InputError(f"{path}: there is no such file.")
    try:
        return pd.read_csv(path, usecols=COLUMNS, dtype={"system": str}, keep_default_na=False)[COLUMNS]
    except ValueError as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise InputError(
            f"{path}: not a table of a system ({reason}); its columns must be {','.join(COLUMNS)}."
        ) from None
