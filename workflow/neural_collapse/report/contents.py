"""What the page says of a study: sentences, tables and curves, each computed from the measured values."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..figures.claims import share_at_end
from ..metrics.portrait import REACH, Portrait, simplex
from ..metrics.runs import RunKey, title, title_of_variant
from ..metrics.tables import curve, runs, zero_error_epoch

# Known measures by what they are about, and what a reader calls them; others come last, by name.
MEASURES = {
    "nc1": "NC1: within-class variability, Tr(Σ_W Σ_B⁺)/C",
    "equinorm_means": "NC2: spread of the norms of class means",
    "equinorm_classifier": "NC2: spread of the norms of classifiers",
    "equiangularity_means": "NC2: spread of the angles of class means",
    "equiangularity_classifier": "NC2: spread of the angles of classifiers",
    "max_angle_means": "NC2: class means' distance from maximal angles",
    "max_angle_classifier": "NC2: classifiers' distance from maximal angles",
    "self_duality": "NC3: distance of classifiers from class means",
    "ncc_mismatch": "NC4: mismatch with the nearest class mean",
    "error": "Error",
    "loss": "Loss",
    "loss_nc1": "Loss: L_NC1",
    "loss_nc1_within": "Loss: L_NC1 without weight decay",
    "loss_nc23": "Loss: L_NC2/3",
    "loss_perp": "Loss: L_perp, deviation from least squares",
    "classifier_distance": "Distance of the classifier from least squares",
    "robustness": "Robustness: DeepFool's perturbation",
    "robustness__minimum": "Robustness: least perturbation found",
    "global_mean_ratio": "Norm of the global mean over that of class means",
    "cdnv": "CDNV: class-distance normalised variance",
    "snr_regularised_ratio": "Least over greatest regularised singular value",
}
OVERVIEW = (
    *("error", "loss", "nc1", "equinorm_means", "equiangularity_means", "max_angle_means"),
    *("max_angle_classifier", "self_duality", "ncc_mismatch", "loss_perp", "robustness__minimum", "global_mean_ratio"),
)

# The four parts of neural collapse, by the claims that judge them.
PARTS = {
    "NC1": ("Variability collapses", "Features of a class shrink to their mean.", ("variability-collapse",)),
    "NC2": (
        "Class means form a simplex",
        "Equal norms and equal, maximal angles.",
        tuple(f"{of}-{whose}" for of in ("equinorm", "equiangular", "max-angle") for whose in ("means", "classifiers")),
    ),
    "NC3": ("Classifiers align with class means", "The two become the same up to scale.", ("self-duality",)),
    "NC4": ("The nearest class mean decides", "What the classifier says, distance says.", ("nearest-class-mean",)),
}  # fmt: skip
VERDICTS = ("holds", "fails", "undecided")


def number(value: Any, digits: int = 3) -> str:
    """A number for readers: three significant digits, powers of ten where it is very large or small, – for none."""
    if value is None or pd.isna(value):
        return "–"
    if isinstance(value, str):
        return value
    if value == 0 or (float(value).is_integer() and abs(value) < 1e6):
        return str(int(value))
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if 1e3 <= abs(value) < 1e6:
        return f"{float(f'{value:.{digits}g}'):,.0f}"
    if 1e-3 <= abs(value) < 1e3:
        return f"{value:.{max(0, digits - 1 - math.floor(math.log10(abs(value))))}f}"
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    return f"{mantissa}×10{str(int(exponent)).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


def spread(values: Iterable[float]) -> str:
    """The median of what was found; with several values that differ, their range behind it."""
    found = np.array([value for value in values if not pd.isna(value)], dtype=float)
    if not len(found):
        return "–"
    middle = number(np.median(found))
    return middle if found.min() == found.max() else f"{middle} ({number(found.min())} to {number(found.max())})"


def between(values: Iterable[float], unit: str = "") -> str:
    """`x`, or `x to y`, of the numbers that are there."""
    found = [value for value in values if not pd.isna(value)]
    if not found:
        return "–"
    low, high = number(min(found)), number(max(found))
    return f"{low}{unit}" if low == high else f"{low}{unit} to {high}{unit}"


def name_of(run: RunKey) -> str:
    """A training as a reader calls it, without its seed."""
    parts = (title(run.dataset), title(run.network), title(run.loss), title_of_variant(run.variant))
    return ", ".join(filter(None, parts))


def trainings(table: pd.DataFrame) -> dict[str, list[tuple[RunKey, pd.DataFrame]]]:
    """The runs of each training (a data set, a network, a loss), a run a seed, in the papers' order."""
    grouped: dict[str, list[tuple[RunKey, pd.DataFrame]]] = {}
    for run, rows in runs(table):
        grouped.setdefault(run.pair, []).append((run, rows))
    return grouped


def last(rows: pd.DataFrame, measure: str, split: str = "train") -> float:
    """The value of a run's last measured epoch, NaN where it has none."""
    values = curve(rows, measure, split)
    return float(values.iloc[-1]) if len(values) else math.nan


def last_epochs(table: pd.DataFrame) -> list[dict[str, str]]:
    """A row a training: what its last epoch came to, the median over its seeds with their range."""
    rows = []
    for members in trainings(table).values():
        run = members[0][0]
        of = [rows for _, rows in members]
        first = spread(curve(one, "nc1").iloc[0] if len(curve(one, "nc1")) else math.nan for one in of)
        rows.append(
            {
                "training": name_of(run),
                "seeds": str(len(members)),
                "epoch of zero error": spread(zero_error_epoch(one) or math.nan for one in of),
                "last epoch": spread(one.epoch.max() for one in of),
                "NC1, first": first,
                "NC1, last": spread(last(one, "nc1") for one in of),
                "NC2, angles of means": spread(last(one, "max_angle_means") for one in of),
                "NC2, angles of classifiers": spread(last(one, "max_angle_classifier") for one in of),
                "NC3, self-duality": spread(last(one, "self_duality") for one in of),
                "NC4, mismatch": spread(last(one, "ncc_mismatch") for one in of),
                "L_perp / L": spread(
                    share_at_end(one, "loss_perp") if run.loss == "mse" and len(curve(one, "loss_perp")) else math.nan
                    for one in of
                ),
                "train error, %": spread(100 * last(one, "error") for one in of),
                "test accuracy, %": spread(100 * (1 - last(one, "error", "test")) for one in of),
            }
        )
    return [{name: row[name] for name in row if any(other[name] != "–" for other in rows)} for row in rows]


def sentences(table: pd.DataFrame, claims: pd.DataFrame, cards: Sequence[Mapping[str, Any]] = ()) -> list[str]:
    """Five sentences: what was trained, whether to zero error, whether it collapsed, how close to theory, how sure."""
    all_runs = list(runs(table))
    grouped = trainings(table)
    seeds = sorted({len(members) for members in grouped.values()})
    sizes = {card["name"]: card for card in cards}

    def of(names: Iterable[str]) -> str:
        return listed(dict.fromkeys(map(title, names)))

    data = []
    for name in dict.fromkeys(run.dataset for run, _ in all_runs):
        card = sizes.get(name)
        about = (
            f" ({len(card['classes'])} classes, {sum(card['train_per_class']):,} train and "
            f"{sum(card['test_per_class']):,} test images)"
            if card
            else ""
        )
        data.append(f"{title(name)}{about}")
    many = f", each with {between(seeds)} seeds" if seeds[-1] > 1 else ", each with one seed"
    first = (
        f"{counted(len(grouped), 'training')} {'was' if len(grouped) == 1 else 'were'} looked at: "
        f"{of(run.network for run, _ in all_runs)} on {listed(data)}, trained with "
        f"{of(run.loss for run, _ in all_runs)}{many}, up to epoch {between(rows.epoch.max() for _, rows in all_runs)}."
    )
    zero = [zero_error_epoch(rows) for _, rows in all_runs]
    reached = [epoch for epoch in zero if epoch]
    accuracies = (100 * (1 - last(rows, "error", "test")) for _, rows in all_runs)
    second = (
        f"{all_of(len(reached), len(all_runs), 'run')} came to zero train error (train accuracy of at least 99.9 %)"
        + (f", at epoch {between(reached)}" if reached else "")
        + f"; test accuracy at the end is {between(accuracies, ' %')}."
    )
    falls = [fall for _, rows in all_runs if not math.isnan(fall := _fall(rows))]
    third = (
        f"The variability within classes (NC1) became {between(falls)} times smaller from the first to the last epoch, "
        f"and ends at {between(last(rows, 'nc1') for _, rows in all_runs)}; class means, "
        f"{_way(all_runs, 'max_angle_means', 'from the cosines of a simplex (NC2)')}, and classifiers, "
        f"{_way(all_runs, 'self_duality', 'from class means (NC3)')}, where zero is complete collapse."
    )
    squared = [rows for run, rows in all_runs if run.loss == "mse" and len(curve(rows, "loss_perp"))]
    fourth = (
        f"Under MSE, where theory has its central path, the deviation from least squares ends at "
        f"{between((100 * share_at_end(rows, 'loss_perp') for rows in squared), ' %')} of the loss"
        + (
            f", and the classifier {between((100 * last(rows, 'classifier_distance') for rows in squared), ' %')} away "
            "from the least-squares classifier of its features"
            if any(len(curve(rows, "classifier_distance")) for rows in squared)
            else ""
        )
        + "."
        if squared
        else "No run was trained with MSE loss, so nothing here is about the central path."
    )
    counts = {verdict: int((claims.verdict == verdict).sum()) for verdict in VERDICTS}
    failed = listed(f"“{statement}”" for statement in dict.fromkeys(claims.statement[claims.verdict == "fails"]))
    one_seed = "one seed a training says" if seeds[-1] == 1 else "the trainings with one seed say"
    fifth = (
        f"Of the papers' claims and this project's own, each judged wherever it applies, {counts['holds']} hold, "
        f"{counts['fails']} fail{f' ({failed})' * bool(failed)} and {counts['undecided']} can't be judged from "
        "what was measured"
        + (f"; {one_seed} nothing of what chance alone changes between trainings" if seeds[0] == 1 else "")
        + "."
    )
    return [first, second, third, fourth, fifth]


def _way(of_runs: Sequence[tuple[RunKey, pd.DataFrame]], measure: str, of: str) -> str:
    """How far away from something all runs were at their first and at their last epoch."""
    curves_of = [values for _, rows in of_runs if len(values := curve(rows, measure))]
    ends = (between(values.iloc[place] for values in curves_of) for place in (0, -1))
    return "{} away {of} at first, end {} away".format(*ends, of=of)


def _fall(rows: pd.DataFrame) -> float:
    values = curve(rows, "nc1")
    return float(values.iloc[0] / values.iloc[-1]) if len(values) and values.iloc[-1] else math.nan


def counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def all_of(some: int, count: int, thing: str) -> str:
    if some == count:
        return f"The only {thing}" if count == 1 else f"All {count} {thing}s"
    return f"{some or 'None'} of {counted(count, thing)}"


def listed(names: Iterable[str]) -> str:
    found = list(names)
    return f"{', '.join(found[:-1])} and {found[-1]}" if len(found) > 1 else "".join(found)


def parts(claims: pd.DataFrame) -> list[dict[str, Any]]:
    """NC1 to NC4, each with how many of its claims about trainings came out how."""
    found = []
    for name, (heading, words, of) in PARTS.items():
        verdicts = claims[claims.claim.isin(of)].verdict
        counts = {verdict: int((verdicts == verdict).sum()) for verdict in VERDICTS}
        worst = "fails" if counts["fails"] else "undecided" if counts["undecided"] or not len(verdicts) else "holds"
        found.append({"name": name, "heading": heading, "words": words, "counts": counts, "verdict": worst})
    return found


def answer(parts: Sequence[Mapping[str, Any]]) -> str:
    """Whether the parts of collapse were seen, in one sentence: those of which the same is to be said together."""
    words = {"holds": "seen", "fails": "not seen", "undecided": "undecided"}
    said: dict[str, list[str]] = {}
    for part in parts:
        counts = {word: part["counts"][verdict] for verdict, word in words.items() if part["counts"][verdict]}
        cases = sum(counts.values())
        if len(counts) == 1:
            of_part = "".join(counts) + (f" in all {cases} cases" if cases > 1 else "")
        else:
            of_part = " and ".join(f"{word} in {count}" for word, count in counts.items()) + f" of {cases} cases"
        said.setdefault(of_part if counts else "not measured", []).append(f"{part['heading']} ({part['name']})")
    sentence = "; ".join(f"{listed(f'“{name}”' for name in names)}: {words}" for words, names in said.items())
    return f"{sentence}."


def moving_portrait(portraits: Mapping[str, Portrait]) -> dict[str, Any]:
    """`runs`, a table each of what is drawn by epoch; how far a panel reaches, and the corners of the ETF."""
    runs = [{"run": run} | {name: of.tolist() for name, of in vars(found).items()} for run, found in portraits.items()]
    corners = max(found.class_means.shape[1] for found in portraits.values())
    return {"runs": runs, "reach": REACH, "corners": simplex(corners).round(3).tolist()}


def curves(table: pd.DataFrame) -> dict[str, Any]:
    """Every measure of every run for the page's charts, in five significant digits (None: not measured there)."""
    all_runs = list(runs(table))
    values: dict[str, dict[str, list]] = {}
    for place, (_, rows) in enumerate(all_runs):
        epochs = sorted(int(epoch) for epoch in rows.epoch.unique())
        for (measure, split), one in rows.groupby(["measure", "split"]):
            by_epoch = dict(zip(one.epoch, one.value, strict=True))
            of_run = [_rounded(by_epoch.get(epoch)) for epoch in epochs]
            values.setdefault(measure, {}).setdefault(split, [None] * len(all_runs))[place] = of_run
    names = in_order(values)
    return {
        "runs": [
            {
                "name": str(run),
                "training": name_of(run),
                "seed": run.seed,
                "loss": title(run.loss),
                "epochs": sorted(int(epoch) for epoch in rows.epoch.unique()),
                "zero": zero_error_epoch(rows),
            }
            for run, rows in all_runs
        ],
        "labels": {name: MEASURES.get(name, name) for name in names},
        "overview": [name for name in OVERVIEW if name in values] or names[:12],
        "values": {name: values[name] for name in names},
    }


def in_order(measures: Iterable[str]) -> list[str]:
    """Names of measures, each once: those that `MEASURES` knows as they stand there, all others by name after them."""
    names = set(measures)
    known = [name for name in MEASURES if name in names]
    return [*known, *sorted(names - set(known))]


def _rounded(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(f"{value:.5g}")
