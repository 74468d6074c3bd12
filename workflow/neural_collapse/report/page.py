"""The page itself: what `contents` found, prose, pictures and the charts' library, in one file that needs no other."""

import base64
import functools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import vl_convert
from docutils.core import publish_parts

from .. import __version__
from ..config.declarations import known_figures, literals
from ..errors import InputError
from ..figures.table_1 import PAPER_TABLE_1, accuracy_table
from ..metrics.portrait import Portrait
from ..metrics.runs import DATASETS, RunKey, order, title, title_of_variant
from . import contents

_HERE = Path(__file__).parent
_RST = {
    "math_output": "MathML",
    "report_level": 5,
    "halt_level": 3,
    "raw_enabled": False,
    "file_insertion_enabled": False,
    "initial_header_level": 3,
}
_TABLE_1 = {
    "network": "network",
    "seed": "seed",
    "epoch_of_99_9_percent": "epoch of 99.9 % train accuracy",
    "at_99_9_percent": "test accuracy there, %",
    "epoch_of_100_percent": "epoch of no train error",
    "at_100_percent": "test accuracy at that, %",
    "at_last_epoch": "at the last epoch, %",
    "improvement": "improvement, points",
    "paper_at_zero_error": "paper: at zero error, %",
    "paper_at_last_epoch": "paper: at the last epoch, %",
    "paper_improvement": "paper: improvement, points",
}


def render(
    table: pd.DataFrame,
    *,
    claims: pd.DataFrame,
    checks: pd.DataFrame | None = None,
    cards: Sequence[Mapping[str, Any]] = (),
    pictures: Iterable[Path] = (),
    beside: Path | None = None,
    portraits: Mapping[str, Portrait] | None = None,
    about: Mapping[str, Any] | None = None,
    settings: pd.DataFrame | None = None,
    jobs: Sequence[Mapping[str, Any]] = (),
) -> str:
    """The page as HTML, the same for the same contents.

    Parameters
    ----------
    table, claims, checks
        Measures and robustness of the runs; the verdicts; the checks of the theory.
    cards
        Of the data sets.
    pictures
        The figures as PNG, each named as its figure.
    beside
        The page's folder, to link files that lie beside it: figures for print, tables.
    portraits
        Of trainings, by their names, to be animated.
    about
        `study`, `description`, `commit`; whatever is known.
    settings
        What was set for each run (`read_runs`).
    jobs
        Records of how files were made: `outputs` (paths) and `ran_with` (versions and device).
    """
    figures = sorted((_figure(path, table, beside) for path in pictures), key=lambda figure: figure["order"])
    parts = contents.parts(claims)
    portrait = contents.moving_portrait(portraits) if portraits else None
    data = {"curves": contents.curves(table), "portrait": portrait}
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(_HERE), autoescape=True, trim_blocks=True)
    environment.filters |= {"number": contents.number, "scope": _scope}
    return environment.get_template("page.html.j2").render(
        about={"study": "", "description": "", "commit": "", **(about or {})},
        sentences=contents.sentences(table, claims, cards),
        answer=contents.answer(parts),
        parts=parts,
        last_epochs=contents.last_epochs(table),
        claims=claims.to_dict("records"),
        scopes=list(dict.fromkeys(claims.scope)),
        captions={name: _caption(name)[1] for name in ("claims", "table-1")},
        figures=[figure for figure in figures if figure["reads"] != "theory"],
        theory_figures=[figure for figure in figures if figure["reads"] == "theory"],
        table_1=_table_1(table),
        paper_table_1=_paper_table_1(),
        checks=[] if checks is None else checks.to_dict("records"),
        collapse=prose(_read("collapse.rst")),
        theory=prose(_read("theory.rst")),
        settings=[] if settings is None else _settings(settings),
        provenance=_provenance(jobs),
        files=_files(beside),
        data=_json(data),
        library=_library(),
        script=_read("page.js"),
        style=_read("page.css"),
        curves=data["curves"],
        portrait=portrait,
        version=__version__,
    )


def _scope(name: str) -> str:
    """What a claim is about, such as a training, as a reader calls it."""
    runs, *others = name.split(", ")
    return ", ".join([*(title_of_variant(title(part)) for part in runs.split("-")), *others])


def _settings(settings: pd.DataFrame) -> list[dict[str, Any]]:
    """A row a run: its name, and every setting that some run has."""
    names = [str(RunKey(*key)) for key in settings[list(RunKey._fields)].itertuples(index=False)]
    shown = settings.drop(columns=list(RunKey._fields)).dropna(axis="columns", how="all").fillna("")
    shown.columns = [name.replace("_", " ") for name in shown]
    return shown.assign(run=names)[["run", *shown.columns]].to_dict("records")


def prose(text: str) -> str:
    """ReStructuredText as HTML, formulas as MathML.

    Raises
    ------
    InputError
        For text that is none.
    """
    try:
        html = publish_parts(text, writer="html5", settings_overrides=_RST)["body"]
    except Exception as error:  # docutils raises its own, and those of its parsers of formulas
        raise InputError(f"a caption is no reStructuredText ({error}): {text[:60]}") from None
    return html.replace("<math xmlns", '<math tabindex="0" xmlns') if 'display="block"' in html else html


def title_of(figure: str) -> str:
    """What a figure is called: the bold beginning of its caption or, without one, the first line of its module."""
    return _caption(figure)[0]


@functools.cache
def _caption(name: str) -> tuple[str, str]:
    path = _HERE / "captions" / f"{name}.rst"
    if not path.is_file():
        first = Path(_HERE.parent, "figures", f"{name.replace('-', '_')}.py").read_text(encoding="utf-8")
        return first.split("\n")[0].strip('"').rstrip("."), ""
    text = path.read_text(encoding="utf-8")
    name, _, rest = text.removeprefix("**").partition("**")
    # What stands in brackets behind the name says of which runs and data it is: a line of its own.
    of = re.match(r"\s*\((.*?)\)[.,]?\s*(.*)", rest, re.S)
    rest = f"*{of[1][:1].upper()}{of[1][1:]}.* {of[2]}" if of else rest.lstrip(" ,.:\n")
    return " ".join(name.split()), prose(rest)


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _json(value: Any) -> str:
    """JSON that ends no script element."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")


@functools.cache
def _library() -> str:
    """Vega, Vega-Lite and Vega-Embed, for a browser without a network."""
    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")


def _figure(path: Path, table: pd.DataFrame, beside: Path | None) -> dict[str, Any]:
    name = path.stem
    if name not in known_figures():
        raise InputError(f"{path}: no figure of this name; known: {', '.join(known_figures())}.")
    declared = literals(f"figures.{name.replace('-', '_')}")
    reads = declared["READS"]
    heading, caption = _caption(name)
    source = (_HERE.parent / "figures" / f"{name.replace('-', '_')}.py").read_text(encoding="utf-8")
    of_runs = reads in ("metrics", "robustness")
    measures = [measure for measure in contents.in_order(table.measure) if of_runs and f'"{measure}"' in source]
    image = path.read_bytes()
    pdf = path.with_suffix(".pdf")
    return {
        "name": name,
        "order": (name != "figure-portrait", not name.removeprefix("figure-").isdigit(), name),
        "reads": reads,
        "title": heading,
        "caption": caption,
        "panels": prose(_read("captions/panels.rst")) if of_runs and not declared.get("NEEDS_LAYERS") else "",
        "measures": measures,
        "image": base64.b64encode(image).decode(),
        "width": int.from_bytes(image[16:20], "big"),
        "height": int.from_bytes(image[20:24], "big"),
        "pdf": _link(pdf, beside),
    }


def _link(path: Path, beside: Path | None) -> str:
    """The address of a file as seen from the page; none where it lies elsewhere or isn't there."""
    if beside is None or not path.is_file() or not path.resolve().is_relative_to(beside.resolve()):
        return ""
    return path.resolve().relative_to(beside.resolve()).as_posix()


def _files(beside: Path | None) -> list[str]:
    """The tables that lie beside the page."""
    names = ("metrics.csv", "runs.csv", "claims.csv", "tables/table-1.csv", "theory/checks.csv", "sweep/choices.csv")
    return [name for name in names if beside is not None and (beside / name).is_file()]


def _table_1(table: pd.DataFrame) -> list[dict[str, str]]:
    if not {"error"} <= set(table[table.loss == "mse"].measure):
        return []
    accuracies = accuracy_table(table)
    accuracies = accuracies.assign(network=accuracies.dataset.map(title) + ", " + accuracies.network.map(title))
    accuracies = accuracies.dropna(axis="columns", how="all")
    shown = {column: heading for column, heading in _TABLE_1.items() if column in accuracies}
    return [{heading: _cell(row[column]) for column, heading in shown.items()} for row in accuracies.to_dict("records")]


def _paper_table_1() -> list[dict[str, str]]:
    rows = []
    for dataset, network in sorted(PAPER_TABLE_1, key=lambda key: order(key[0], DATASETS)):
        first, final = PAPER_TABLE_1[dataset, network]
        rows.append(
            {
                "network": f"{title(dataset)}, {title(network)}",
                "at zero error, %": f"{first:.2f}",
                "at the last epoch, %": f"{final:.2f}",
                "improvement, points": f"{final - first:.2f}",
            }
        )
    return rows


def _cell(value: Any) -> str:
    if isinstance(value, float) and not pd.isna(value):
        return f"{value:.2f}"
    return contents.number(value)


def _provenance(jobs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What made the files of each folder: how many there are and are here, with which versions, on which device."""
    folders: dict[str, dict[str, Any]] = {}
    for job in jobs:
        for output in job["outputs"]:
            folder = _folder(output)
            row = folders.setdefault(folder, {"folder": folder, "files": 0, "here": 0, "with": {}})
            row["files"] += 1
            row["here"] += Path(output).is_file()
            for name, version in job.get("ran_with", {}).items():
                row["with"].setdefault(name, set()).add(str(version))
    for row in folders.values():
        row["device"] = ", ".join(sorted(row["with"].pop("device", {"unknown"})))
        row["with"] = ", ".join(f"{name} {' and '.join(sorted(found))}" for name, found in sorted(row["with"].items()))
    return [folders[name] for name in sorted(folders)]


def _folder(output: str) -> str:
    """`checkpoints` of results/study/checkpoints/run/00.safetensors; of a file of the study itself, its name."""
    parts = Path(output).parts
    below = parts[parts.index("results") + 2 :] if "results" in parts else ()  # a module's have a prefix before that
    return below[0] if below else output
