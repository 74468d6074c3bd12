"""All that a table of measures shows: every figure of networks, table 1 and the claims, written into one folder."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from ..config.checks import unknown
from ..config.declarations import known_figures, literals
from ..config.names import UNKNOWN
from ..errors import InputError
from ..metrics.tables import tidy
from ..storage import whole_file, write_csv
from .claims import claims_table
from .style import save
from .table_1 import accuracy_table, to_markdown


class Drawn(NamedTuple):
    """The files that were written, and of what the table doesn't show the reasons, by name."""

    files: list[Path]
    left_out: dict[str, str]


def draw_figures(table: pd.DataFrame, folder: str | Path, figures: Sequence[str] | None = None) -> Drawn:
    """Draw every figure that shows something of a table, tabulate table 1 and judge the claims.

    Parameters
    ----------
    table: of `measure_files`, or of one's own making (`metrics.tables.tidy`).
    folder: where `figure-07.pdf`, `figure-07.png`, ..., `table-1.csv`, `table-1.md` and `claims.csv` go.
    figures: such as "figure-07", to draw these alone.

    Raises
    ------
    InputError
        Where a figure that is asked for is not known or shows nothing of the table, or where nothing does.
    """
    table, folder = tidy(table), Path(folder)
    readable = [name for name in known_figures() if _declared(name)["READS"] in ("metrics", "robustness")]
    for name in figures or ():
        if name not in readable:
            raise InputError(f"--figure: {unknown('figure of a table', name, readable)}")
    drawn = Drawn([], {})
    for name in figures or readable:
        try:
            _draw(name, table, folder, drawn)
        except InputError as error:
            if figures:
                raise
            drawn.left_out[name] = str(error)
    if figures is None:
        _tabulate(table, folder, drawn)
    if not drawn.files:
        raise InputError(f"the table shows nothing: {next(iter(drawn.left_out.values()))}")
    return drawn


def _declared(figure: str) -> dict:
    return literals(f"figures.{figure.replace('-', '_')}")


def _draw(name: str, table: pd.DataFrame, folder: Path, drawn: Drawn) -> None:
    needed = _declared(name).get("NEEDS")
    if needed and needed not in set(table.loss):
        hint = f"; where it is {needed} that they were trained on, say so to `measure` by --loss {needed}"
        raise InputError(f"shows runs with loss {needed}, and the table has none{hint * (UNKNOWN in set(table.loss))}.")
    module = importlib.import_module(f".{name.replace('-', '_')}", __package__)
    pdf, png = folder / f"{name}.pdf", folder / f"{name}.png"
    save(module.draw(table), pdf=pdf, png=png)
    drawn.files.extend([pdf, png])


def _tabulate(table: pd.DataFrame, folder: Path, drawn: Drawn) -> None:
    tested = table[(table.measure == "error") & (table.split == "test") & (table.loss == "mse")]
    if tested.empty:
        drawn.left_out["table-1"] = "shows the test error of runs with loss mse, and the table has none."
    else:
        accuracies = accuracy_table(table)
        write_csv(folder / "table-1.csv", accuracies)
        with whole_file(folder / "table-1.md") as temporary:
            temporary.write_text(to_markdown(accuracies), encoding="utf-8")
        drawn.files.extend([folder / "table-1.csv", folder / "table-1.md"])
    claims = claims_table(table)
    if (claims.verdict == "undecided").all():
        drawn.left_out["claims"] = "none is decided by this table: they are about epochs from zero train error on."
    else:
        write_csv(folder / "claims.csv", claims)
        drawn.files.append(folder / "claims.csv")
