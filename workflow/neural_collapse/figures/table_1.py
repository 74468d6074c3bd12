"""Table 1: test accuracy when train error first reaches zero, and at the end of training."""

import math
from collections.abc import Iterable

import pandas as pd

from ..metrics.runs import RunKey, title, title_of_variant
from ..metrics.tables import curve, runs, zero_error_epoch

# Han, Papyan & Donoho (2022), Table 1: test accuracy in % at the first epoch of zero train error, and at the last.
PAPER_TABLE_1 = {
    ("mnist", "vgg11"): (99.23, 99.59),
    ("mnist", "resnet18"): (99.16, 99.70),
    ("mnist", "densenet40"): (99.62, 99.70),
    ("fashionmnist", "vgg11"): (92.76, 92.95),
    ("fashionmnist", "resnet18"): (93.55, 93.76),
    ("fashionmnist", "densenet250"): (90.56, 92.95),
    ("svhn", "vgg13"): (89.35, 93.91),
    ("svhn", "resnet34"): (85.18, 92.65),
    ("svhn", "densenet40"): (95.61, 95.23),
    ("cifar10", "vgg11"): (83.13, 84.54),
    ("cifar10", "resnet50"): (75.43, 76.39),
    ("cifar10", "densenet100"): (91.77, 91.78),
    ("stl10", "vgg11"): (60.43, 67.24),
    ("stl10", "resnet18"): (59.35, 60.56),
    ("stl10", "densenet201"): (58.74, 60.41),
}

# The columns of the table, and what a reader calls them.
_HEADINGS = {
    "dataset": "data set",
    "network": "network",
    "variant": "variant",
    "seed": "seed",
    "epoch_of_99_9_percent": "epoch of 99.9 % train accuracy",
    "at_99_9_percent": "test accuracy there",
    "epoch_of_100_percent": "epoch of no train error",
    "at_100_percent": "test accuracy there",
    "last_epoch": "last epoch",
    "at_last_epoch": "test accuracy there",
    "improvement": "improvement",
    "paper_at_zero_error": "paper, zero error",
    "paper_at_last_epoch": "paper, last epoch",
    "paper_improvement": "paper, improvement",
}


def accuracy_table(table: pd.DataFrame) -> pd.DataFrame:
    """Table 1 of the MSE runs in `table`, one row a run that was tested (none without one), in the paper's order.

    Accuracies are in % of the test set. Zero error is defined both ways (see `zero_error_epoch`): `at_99_9_percent` is
    the accuracy at the first measured epoch with train accuracy >= 99.9 %, `at_100_percent` at the first with no train
    error at all; both are missing where a run never got there. `improvement` is the last accuracy minus
    `at_99_9_percent`, in percentage points. The paper's values stand beside those of its data sets and networks,
    whatever protocol the run followed.
    """
    table = table[(table.loss == "mse") & (table.measure == "error")]
    tested = table[table.split == "test"].drop_duplicates(RunKey._fields)[list(RunKey._fields)]
    table = table.merge(tested)  # features that a run brings may be of train data alone
    whole = {"epoch_of_99_9_percent": "Int64", "epoch_of_100_percent": "Int64"}
    return pd.DataFrame([_row(run, rows) for run, rows in runs(table)], columns=list(_HEADINGS)).astype(whole)


def _row(run: RunKey, rows: pd.DataFrame) -> dict:
    accuracy = 100 * (1 - curve(rows, "error", "test"))
    near, exact = zero_error_epoch(rows), zero_error_epoch(rows, 0.0)
    at_near, at_last_epoch = accuracy.get(near, math.nan), accuracy.iloc[-1]
    paper_at_zero_error, paper_at_last_epoch = PAPER_TABLE_1.get((run.dataset, run.network), (math.nan, math.nan))
    return {
        "dataset": run.dataset,
        "network": run.network,
        "variant": title_of_variant(run.variant) or None,
        "seed": run.seed,
        "epoch_of_99_9_percent": near,
        "at_99_9_percent": at_near,
        "epoch_of_100_percent": exact,
        "at_100_percent": accuracy.get(exact, math.nan),
        "last_epoch": accuracy.index[-1],
        "at_last_epoch": at_last_epoch,
        "improvement": at_last_epoch - at_near,
        "paper_at_zero_error": paper_at_zero_error,
        "paper_at_last_epoch": paper_at_last_epoch,
        "paper_improvement": round(paper_at_last_epoch - paper_at_zero_error, 2),
    }


def to_markdown(accuracies: pd.DataFrame) -> str:
    """`accuracy_table` for readers: rounded to the paper's two decimals, its median and mean improvement below.

    Columns with no value, such as the paper's where a study shares none of its runs, are left out.
    """
    median, mean = _cell(accuracies.improvement.median()), _cell(accuracies.improvement.mean())
    if len(accuracies):
        accuracies = accuracies.dropna(axis="columns", how="all")
    lines = [
        "Test accuracy in %, when train accuracy first reaches 99.9 %, when train error is first exactly zero, and at",
        "the last epoch, for networks trained with MSE loss.",
        "",
        _line(_HEADINGS[column] for column in accuracies),
        _line("---" for _ in accuracies),
        *(_line(map(_cell, row)) for row in accuracies.itertuples(index=False)),
        "",
        f"Improvement from 99.9 % to the last epoch: median {median}, mean {mean} percentage points "
        "(the paper, over its 15 networks: 0.962 and 1.833).",
    ]
    return "\n".join(lines) + "\n"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(value: object) -> str:
    if pd.isna(value):
        return "–"
    if isinstance(value, str):
        return title(value)
    return f"{value:.2f}" if isinstance(value, float) else str(value)
