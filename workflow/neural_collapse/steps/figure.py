"""Draw one figure from tables, as PDF and PNG."""

import argparse
import importlib
from pathlib import Path

from ..errors import InputError
from ..figures.style import NothingToDraw, draw_sentence, save
from ..metrics.tables import read_tables

_FIGURES = Path(__file__).parent.parent / "figures"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--figure", required=True, metavar="NAME", help="for example figure-07")
    parser.add_argument("--tables", required=True, nargs="+", type=Path, metavar="FILE", help="what it draws")
    parser.add_argument("--pdf", required=True, type=Path, help="the figure for print")
    parser.add_argument("--png", required=True, type=Path, help="the figure for the screen")


def run(options: argparse.Namespace) -> None:
    known = sorted(path.stem.replace("_", "-") for path in _FIGURES.glob("figure_*.py"))
    if options.figure not in known:
        raise InputError(f"--figure: no figure named {options.figure!r}; known: {', '.join(known)}.")
    # By name, so that the code of one figure is no dependency of another.
    module = importlib.import_module(f"..figures.{options.figure.replace('-', '_')}", __package__)
    read = getattr(module, "read", read_tables)
    try:
        figure = module.draw(read(options.tables))
    except NothingToDraw as reason:
        sentence = f"{options.figure} is left out: {reason}"
        print(sentence)
        figure = draw_sentence(sentence)
    save(figure, pdf=options.pdf, png=options.png)
