"""Which figures a study draws, and of which of its runs."""

from collections.abc import Iterable
from typing import Any

from .declarations import known_figures, literals
from .study import Run, Study


def declared_by(figure: str) -> dict[str, Any]:
    """The literals of a figure's module, such as READS and NEEDS, by its name ("figure-02")."""
    return literals(f"figures.{figure.replace('-', '_')}")


def drawn_figures(study: dict[str, Any], runs: Iterable[Run]) -> tuple[str, ...]:
    """The figures that show something of a study's runs, but for those that its table leaves out."""
    return tuple(
        figure
        for figure in known_figures()
        if figure not in study["leave_out"] and shows_something(figure, runs)
        if study["layers"] or not declared_by(figure).get("NEEDS_LAYERS")
    )


def shows_something(figure: str, runs: Iterable[Run]) -> bool:
    """Whether a figure is of simulated systems, of settings that vary, or of runs of which there are some."""
    reads = declared_by(figure)["READS"]
    shown = shown_runs(figure, runs)
    if reads == "settings":
        return len({run.variant for run in shown}) > 1 or len({run.loss for run in shown}) > 2
    if reads == "codes":
        return len({run.network_options.get("bottleneck") for run in shown} - {None}) > 1
    return reads == "theory" or bool(shown)


def shown_runs(figure: str, runs: Iterable[Run]) -> list[Run]:
    """The runs that a figure of networks shows: those of the loss that it needs, if any, that have what it reads.

    Of features alone none is shown that needs the network, or settings of a training. A training is portrayed by its
    first seed.
    """
    declared = declared_by(figure)
    needed, of_all = declared.get("NEEDS"), declared["READS"] != "out_of_distribution"
    of_features = declared["READS"] == "metrics" and not declared.get("NEEDS_LAYERS")
    having = [run for run in runs if (of_all or run.outside) and (of_features or run.has_network)]
    shown = [run for run in having if needed in (None, run.loss)]
    if declared["READS"] != "portraits":
        return shown
    first = {run.pair: run for run in sorted(shown, key=lambda run: -run.seed)}
    return [run for run in shown if run is first[run.pair]]


def portrayed_runs(study: Study) -> list[Run]:
    """The runs of which the study's portrait is drawn, if it is."""
    return shown_runs("figure-portrait", study.runs) if "figure-portrait" in study.figures else []
