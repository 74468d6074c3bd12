"""The headline claims of the papers, each computed from the measured values and judged by a stated criterion.

HPD is Han, Papyan & Donoho (2022), PHD is Papyan, Han & Donoho (2020); one claim is this project's own. A claim is
about a single run, about a pair (the MSE and the CE runs of one data set and family of networks) or about the study.
"""

import math
import operator
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from ..metrics.tables import curve, family, runs, zero_error_epoch

_TERMS = ("loss_nc1", "loss_nc23", "loss_perp")
_ZERO_ERROR = "the first epoch of 99.9 % train accuracy"
_RELATIONS = {"<": operator.lt, "<=": operator.le, ">": operator.gt}


class _Absent(Exception):
    """The tables hold no value that a claim is about."""


@dataclass(frozen=True)
class Claim:
    """One claim: what the paper says, which quantity shows it, and how that quantity is judged.

    `measured` takes the rows of the scope and returns the quantity, NaN where it is undefined (99.9 % train accuracy
    was never reached): such a claim does not hold. It is judged as computed, and reported to six digits.
    """

    claim: str
    source: str
    paper: str
    quantity: str
    measured: Callable[[pd.DataFrame], float]
    relation: str
    bound: float
    losses: tuple[str, ...] = ("mse", "ce")

    def judge(self, scope: str, rows: pd.DataFrame) -> dict:
        with np.errstate(divide="ignore", invalid="ignore"):
            measured = float(self.measured(rows))
        return {
            "claim": self.claim,
            "source": self.source,
            "scope": scope,
            "paper": self.paper,
            "quantity": self.quantity,
            "measured": float(f"{measured:.6g}"),
            "criterion": f"{self.relation} {self.bound:g}",
            "holds": bool(_RELATIONS[self.relation](measured, self.bound)),
        }


def claims_table(table: pd.DataFrame) -> pd.DataFrame:
    """Every claim about every run, pair and the study that `table` has values for.

    Columns: claim, source, scope, paper (what it says), quantity, measured, criterion, holds.
    """
    verdicts = []
    for claims, scopes in ((RUN_CLAIMS, runs), (PAIR_CLAIMS, _pairs), (STUDY_CLAIMS, _study)):
        for claim in claims:
            for scope, rows in scopes(table[table.loss.isin(claim.losses)]):
                try:
                    verdicts.append(claim.judge(str(scope), rows))
                except _Absent:
                    continue
    return pd.DataFrame(verdicts)


def _pairs(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    for (dataset, name), rows in table.groupby(["dataset", table.network.map(family)]):
        if set(rows.loss) == {"mse", "ce"}:
            yield f"{dataset}-{name}", rows


def _study(table: pd.DataFrame) -> Iterable[tuple[str, pd.DataFrame]]:
    return [("study", table)]


# What is measured of a run.


def _values(run: pd.DataFrame, measure: str, split: str = "train") -> pd.Series:
    values = curve(run, measure, split)
    if values.empty:
        raise _Absent
    return values


def _at_zero_error(run: pd.DataFrame, measure: str, split: str = "train") -> float:
    return _values(run, measure, split).get(zero_error_epoch(run), math.nan)


def _last(run: pd.DataFrame, measure: str, split: str = "train") -> float:
    return _values(run, measure, split).iloc[-1]


def _fall(run: pd.DataFrame, measure: str, split: str = "train") -> float:
    """How many times smaller the last value is than the first."""
    values = _values(run, measure, split)
    return values.iloc[0] / values.iloc[-1]


def change_after_zero_error(run: pd.DataFrame, measure: str) -> float:
    return _last(run, measure) / _at_zero_error(run, measure)


def identity_error(run: pd.DataFrame) -> float:
    """The greatest relative difference of the loss and the sum of its terms, for both lambdas, over all epochs."""
    errors = []
    for suffix in ("", "__half_wd"):
        loss = curve(run, "loss" + suffix)
        errors.append((sum(curve(run, term + suffix) for term in _TERMS) / loss - 1).abs())
    errors = pd.concat(errors)
    if errors.empty:
        raise _Absent
    return errors.max(skipna=False)


def epoch_of_small_deviation(run: pd.DataFrame) -> float:
    """The first measured epoch from which on L_perp stays below L_NC1, over that of 99.9 % train accuracy."""
    above = _values(run, "loss_perp") >= _values(run, "loss_nc1")
    since = above.index[~above[::-1].cummax()[::-1]]
    return (since[0] if len(since) else math.nan) / (zero_error_epoch(run) or math.nan)


def share_at_end(run: pd.DataFrame, term: str) -> float:
    return _last(run, term) / _last(run, "loss")


def deviation_over_variability(run: pd.DataFrame) -> float:
    return _last(run, "loss_perp") / _last(run, "loss_nc1_within")


def lead_of_nc23(run: pd.DataFrame) -> float:
    """The fall of L_NC2/3 over the greater of those of the other two terms."""
    return _fall(run, "loss_nc23") / max(_fall(run, "loss_nc1"), _fall(run, "loss_perp"))


def robustness_gain(run: pd.DataFrame) -> float:
    return _last(run, "robustness", "test") - _at_zero_error(run, "robustness", "test")


def accuracy_gain(run: pd.DataFrame) -> float:
    return 100 * (_at_zero_error(run, "error", "test") - _last(run, "error", "test"))


def nc1_test_over_train(run: pd.DataFrame) -> float:
    return _last(run, "nc1", "test") / _last(run, "nc1")


def nc1_fall_train_over_test(run: pd.DataFrame) -> float:
    return _fall(run, "nc1") / _fall(run, "nc1", "test")


# What is measured of a pair and of the study.


def mse_over_ce_at_end(pair: pd.DataFrame, measure: str, split: str = "train") -> float:
    """The ratio of the last values, medians over the seeds."""
    mse, ce = ([_last(run, measure, split) for _, run in runs(pair[pair.loss == loss])] for loss in ("mse", "ce"))
    return np.median(mse) / np.median(ce)


def over_runs(study: pd.DataFrame, of_run: Callable[[pd.DataFrame], float], statistic: Callable) -> float:
    """A statistic over the runs that reached 99.9 % train accuracy."""
    values = [of_run(run) for _, run in runs(study)]
    if not values:
        raise _Absent
    reached = [value for value in values if not math.isnan(value)]
    return statistic(reached) if reached else math.nan


def difficulty_correlation(study: pd.DataFrame) -> float:
    """Spearman's correlation, over the data sets, of the last test error and the last NC1 on test data (medians)."""
    if study.dataset.nunique() < 3:
        raise _Absent
    last = pd.DataFrame(
        [(run.dataset, _last(rows, "error", "test"), _last(rows, "nc1", "test")) for run, rows in runs(study)],
        columns=["dataset", "error", "nc1"],
    )
    medians = last.groupby("dataset").median().rank()
    return medians.error.corr(medians.nc1)


def _falls_on(claim: str, measure: str, figure: int) -> Claim:
    return Claim(
        claim=claim,
        source=f"HPD figure {figure}, PHD figure {figure - 1}",
        paper="goes on falling after zero error",
        quantity=f"{measure} at the last epoch, divided by {measure} at {_ZERO_ERROR}",
        measured=partial(change_after_zero_error, measure=measure),
        relation="<",
        bound=1,
    )


RUN_CLAIMS = (
    Claim(
        claim="The loss is the sum of its terms",
        source="HPD theorems 1 and 2",
        paper="exact",
        quantity="greatest |(L_NC1 + L_NC2/3 + L_perp) / L - 1| of any epoch",
        measured=identity_error,
        relation="<=",
        bound=1e-10,
        losses=("mse",),
    ),
    Claim(
        claim="The classifier stays close to least squares from early on",
        source="HPD figure 2",
        paper="L_perp is below L_NC1 from an early epoch on",
        quantity=f"epoch from which on L_perp < L_NC1, divided by {_ZERO_ERROR}",
        measured=epoch_of_small_deviation,
        relation="<=",
        bound=1,
        losses=("mse",),
    ),
    Claim(
        claim="The deviation from least squares becomes negligible",
        source="HPD figure 2",
        paper="L_perp << L_LS",
        quantity="L_perp / L at the last epoch",
        measured=partial(share_at_end, term="loss_perp"),
        relation="<",
        bound=0.05,
        losses=("mse",),
    ),
    Claim(
        claim="The deviation from least squares is below the within-class variability in the loss",
        source="not in the papers, whose L_NC1 holds the weight decay",
        paper="not said",
        quantity="L_perp / L_NC1 without its weight decay, at the last epoch",
        measured=deviation_over_variability,
        relation="<",
        bound=1,
        losses=("mse",),
    ),
    Claim(
        claim="L_NC1 dominates the loss",
        source="HPD figure 2",
        paper="the dominant term",
        quantity="L_NC1 / L at the last epoch",
        measured=partial(share_at_end, term="loss_nc1"),
        relation=">",
        bound=0.5,
        losses=("mse",),
    ),
    Claim(
        claim="L_NC2/3 falls fastest",
        source="HPD figure 2",
        paper="diminishes the fastest among all the terms",
        quantity="how many times smaller L_NC2/3 becomes from the first to the last epoch, divided by how many times "
        "smaller the faster of L_NC1 and L_perp becomes",
        measured=lead_of_nc23,
        relation=">",
        bound=1,
        losses=("mse",),
    ),
    _falls_on("Class means become equinorm", "equinorm_means", 3),
    _falls_on("Classifiers become equinorm", "equinorm_classifier", 3),
    _falls_on("Class means become equiangular", "equiangularity_means", 4),
    _falls_on("Classifiers become equiangular", "equiangularity_classifier", 4),
    _falls_on("Class means become maximally equiangular", "max_angle_means", 5),
    _falls_on("Classifiers become maximally equiangular", "max_angle_classifier", 5),
    _falls_on("Classifiers become self-dual with class means", "self_duality", 6),
    _falls_on("Within-class variability collapses", "nc1", 7),
    Claim(
        claim="The classifier decides for the nearest class mean",
        source="HPD figure 8, PHD figure 7",
        paper="converges to the nearest class centre rule",
        quantity="mismatch on train data at the last epoch",
        measured=partial(_last, measure="ncc_mismatch"),
        relation="<=",
        bound=0.001,
    ),
    Claim(
        claim="Training beyond zero error makes the network more robust",
        source="HPD figure 9, PHD figure 8",
        paper="improves",
        quantity=f"DeepFool's robustness at the last epoch, minus that at {_ZERO_ERROR}",
        measured=robustness_gain,
        relation=">",
        bound=0,
    ),
    Claim(
        claim="Training beyond zero error improves test accuracy",
        source="HPD table 1, PHD table 1",
        paper="improves, but for SVHN-DenseNet40 under MSE",
        quantity=f"test accuracy in % at the last epoch, minus that at {_ZERO_ERROR}",
        measured=accuracy_gain,
        relation=">",
        bound=0,
    ),
    Claim(
        claim="Features collapse less on test data",
        source="HPD figure 12",
        paper="the last value is larger than on train data",
        quantity="NC1 on test data, divided by NC1 on train data, at the last epoch",
        measured=nc1_test_over_train,
        relation=">",
        bound=1,
    ),
    Claim(
        claim="Features collapse more slowly on test data",
        source="HPD figure 12",
        paper="much slower than on train data",
        quantity="how many times smaller NC1 becomes from the first to the last epoch on train data, divided by how "
        "many times on test data",
        measured=nc1_fall_train_over_test,
        relation=">",
        bound=1,
    ),
)

PAIR_CLAIMS = (
    Claim(
        claim="MSE collapses faster than CE",
        source="HPD figure 10",
        paper="tends to",
        quantity="NC1 under MSE, divided by NC1 under CE, at the last epoch",
        measured=partial(mse_over_ce_at_end, measure="nc1"),
        relation="<",
        bound=1,
    ),
    Claim(
        claim="MSE is more robust than CE",
        source="HPD figure 11",
        paper="tends to, at times by magnitudes",
        quantity="DeepFool's robustness (an upper bound) under MSE, divided by that under CE, at the last epoch",
        measured=partial(mse_over_ce_at_end, measure="robustness", split="test"),
        relation=">",
        bound=1,
    ),
)


def _improvement(claim: str, source: str, paper: str, gain: Callable, statistic: Callable, loss: str) -> Claim:
    return Claim(
        claim=claim,
        source=source,
        paper=paper,
        quantity=f"{statistic.__name__} over the {loss.upper()} runs: at the last epoch, minus at {_ZERO_ERROR}",
        measured=partial(over_runs, of_run=gain, statistic=statistic),
        relation=">",
        bound=0,
        losses=(loss,),
    )


_ACCURACY = "Training beyond zero error improves test accuracy, in percentage points"
_ROBUSTNESS = "Training beyond zero error makes networks more robust"

STUDY_CLAIMS = (
    _improvement(_ACCURACY, "HPD table 1", "0.962", accuracy_gain, np.median, "mse"),
    _improvement(_ACCURACY, "HPD table 1", "1.833", accuracy_gain, np.mean, "mse"),
    _improvement(_ROBUSTNESS, "HPD figure 9", "0.1762", robustness_gain, np.median, "mse"),
    _improvement(_ROBUSTNESS, "HPD figure 9", "0.9278", robustness_gain, np.mean, "mse"),
    _improvement(_ROBUSTNESS, "PHD figure 8", "0.0252", robustness_gain, np.median, "ce"),
    _improvement(_ROBUSTNESS, "PHD figure 8", "0.2452", robustness_gain, np.mean, "ce"),
    *(
        Claim(
            claim=f"The harder the data set, the less features collapse on test data ({loss.upper()})",
            source="HPD figure 12",
            paper="roughly monotonic",
            quantity="rank correlation of test error and NC1 on test data at the last epoch, over the data sets",
            measured=difficulty_correlation,
            relation=">",
            bound=0,
            losses=(loss,),
        )
        for loss in ("mse", "ce")
    ),
)
