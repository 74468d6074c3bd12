"""The headline claims of the papers, each computed from the measured values and judged by a stated criterion.

HPD is Han, Papyan & Donoho (2022), PHD is Papyan, Han & Donoho (2020); one claim is this project's own. A claim is
about a training (with all its seeds), about a pair (the MSE and the CE runs of one data set and family of networks),
about the study, about what a setting changes (the trainings that differ in that alone), about data out of the
distribution of a training, or about the theory.

There are three verdicts. A claim `holds` or `fails` where the whole range of what was measured, from the least to the
greatest, lies on one side of the bound and clears its margin; else it is `undecided`, and so it is where a value is
missing, because zero error was never reached or nothing of the kind was measured. The range is that over the seeds; of
the gain in test accuracy it is an exact confidence interval over images, of the study a bootstrap over its trainings.
"""

import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import betaincinv

from ..config.names import PLAIN
from ..metrics.runs import RunKey, family
from ..metrics.settings import along, in_words, varied
from ..metrics.tables import curve, runs, zero_error_epoch

COLUMNS = [
    *("claim", "source", "scope", "runs", "statement", "paper", "quantity"),
    *("measured", "least", "greatest", "criterion", "verdict"),
]

_TERMS = ("loss_nc1", "loss_nc23", "loss_perp")
_ZERO_ERROR = "the first epoch of 99.9 % train accuracy"
_RELATIONS = {"<": operator.lt, "<=": operator.le, ">": operator.gt}
_ROBUSTNESS_MEASURE = "robustness__minimum"
_MARGIN = 1.1  # epochs next to each other differ by about as much late in training
_CONFIDENCE = 0.95


class Estimate(NamedTuple):
    """A measured value, and the range that it may be in; NaN where it is not known."""

    value: float
    least: float
    greatest: float


@dataclass(frozen=True)
class Claim:
    """One claim: what the paper says, which quantity shows it, and how that quantity is judged.

    `measured` takes the rows of the scope and returns the quantity, judged as computed and reported to six digits. To
    hold or to fail, it must clear the bound by the factor `margin` (1: by nothing). `losses`: whose runs it is about
    (none: all).
    """

    claim: str
    source: str
    statement: str
    paper: str
    quantity: str
    measured: Callable[[pd.DataFrame], Estimate]
    relation: str
    bound: float
    margin: float = _MARGIN
    losses: tuple[str, ...] = ()

    def judge(self, scope: str, rows: pd.DataFrame) -> dict:
        with np.errstate(divide="ignore", invalid="ignore"):
            found = Estimate(*map(float, self.measured(rows)))
        margin = f", by {round(100 * (self.margin - 1))} %" if self.margin > 1 and self.bound else ""
        return {
            "claim": self.claim,
            "source": self.source,
            "scope": scope,
            "runs": sum(1 for _ in runs(rows)),
            "statement": self.statement,
            "paper": self.paper,
            "quantity": self.quantity,
            "measured": _six_digits(found.value),
            "least": _six_digits(found.least),
            "greatest": _six_digits(found.greatest),
            "criterion": f"{self.relation} {self.bound:g}{margin}",
            "verdict": self._verdict(found),
        }

    def _verdict(self, found: Estimate) -> str:
        if any(map(math.isnan, found)):
            return "undecided"
        true = _RELATIONS[self.relation]
        worst, best = (found.least, found.greatest) if self.relation == ">" else (found.greatest, found.least)
        factor = self.margin if self.relation == ">" else 1 / self.margin
        if true(worst, self.bound * factor):
            return "holds"
        return "undecided" if true(best, self.bound / factor) else "fails"


def _six_digits(value: float) -> float:
    return float(f"{value:.6g}")


def claims_table(
    table: pd.DataFrame,
    *,
    checks: pd.DataFrame | None = None,
    test_images: Mapping[str, int] | None = None,
    settings: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Every claim about every training, pair and the study, and those about the theory.

    Parameters
    ----------
    table
        Measures and robustness of the runs.
    checks
        Of the theory, with the columns check, statement, value, bound: each holds up to the bound.
    test_images
        How many each data set has. Gains in test accuracy are undecided where it isn't known.
    settings
        What was set for each run (`read_runs`); without it, or where nothing is varied, no claim is about a setting.

    Returns
    -------
    pandas.DataFrame
        Columns: claim (a name), source (where in the paper), scope, runs (how many), statement, paper (what it says),
        quantity, measured, least, greatest (the range), criterion, verdict (holds, fails, undecided).
    """
    table = table.assign(images=table.dataset.map(test_images or {}).astype(float))
    scopes = ((RUN_CLAIMS, _trainings), (PAIR_CLAIMS, _pairs), (STUDY_CLAIMS, _study), (DATA_CLAIMS, _data_sets))
    verdicts = [
        claim.judge(scope, rows)
        for claims, scopes_of in scopes
        for claim in claims
        for scope, rows in scopes_of(table[table.loss.isin(claim.losses)] if claim.losses else table)
    ]
    for name in sorted(table.measure[table.measure.str.startswith("nc5__")].unique()):
        of = name.removeprefix("nc5__")
        trainings = _trainings(
            table.groupby(list(RunKey._fields)).filter(lambda run, name=name: name in set(run.measure))
        )
        verdicts += [claim.judge(scope, rows) for scope, rows in trainings for claim in outside_claims(of)]
    if settings is not None:
        verdicts += [
            claim.judge(scope, rows)
            for setting, claims in SETTING_CLAIMS.items()
            for scope, rows in _along(setting, table, settings)
            for claim in claims
        ]
    if checks is not None:
        verdicts += [_judge_check(check) for check in checks.itertuples()]
    return pd.DataFrame(verdicts, columns=COLUMNS)


def _judge_check(check: tuple) -> dict:
    claim = Claim(
        claim=check.check,
        source=check.source,
        statement=check.statement,
        paper="exact",
        quantity="greatest deviation of what was computed",
        measured=lambda _: Estimate(check.value, check.value, check.value),
        relation="<=",
        bound=check.bound,
        margin=1,
    )
    return claim.judge("theory", pd.DataFrame(columns=RunKey._fields))


def _trainings(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    grouped: dict[str, list[pd.DataFrame]] = {}
    for run, rows in runs(table):
        grouped.setdefault(run.pair, []).append(rows)
    for pair, seeds in grouped.items():
        yield pair, pd.concat(seeds)


def _pairs(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    for (dataset, name, variant), rows in table.groupby(["dataset", table.network.map(family), "variant"]):
        if {"mse", "ce"} <= set(rows.loss):
            yield f"{dataset}-{name}{'' if variant == PLAIN else f'-{variant}'}", rows


def _study(table: pd.DataFrame) -> Iterable[tuple[str, pd.DataFrame]]:
    return [("study", table)] if len(table) else []


def _data_sets(table: pd.DataFrame) -> Iterable[tuple[str, pd.DataFrame]]:
    """The study, where it has data sets enough to speak of an order."""
    return [("study", table)] if table.dataset.nunique() > 2 else []


def _along(setting: str, table: pd.DataFrame, settings: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Of the trainings that differ in one setting alone the rows, with its value in the column `setting`."""
    if setting not in varied(settings):
        return
    for shared, runs_of in along(settings, setting):
        scope = "-".join(value for key, value in shared.items() if key in RunKey._fields)
        others = [in_words(key, value) for key, value in shared.items() if key not in RunKey._fields]
        rows = table.merge(runs_of.rename(columns={setting: "setting"})[[*RunKey._fields, "setting"]])
        if len(rows):
            yield ", ".join([scope, *others]), rows


def over_seeds(of_run: Callable[[pd.DataFrame], float], **options: Any) -> Callable[[pd.DataFrame], Estimate]:
    """The median of what is measured of each run, and the range."""

    def measured(rows: pd.DataFrame) -> Estimate:
        values = [of_run(run, **options) for _, run in runs(rows)]
        return Estimate(np.median(values), np.min(values), np.max(values))

    return measured


# What is measured of a run.


def _at_zero_error(run: pd.DataFrame, measure: str, split: str = "train") -> float:
    return curve(run, measure, split).get(zero_error_epoch(run), math.nan)


def _last(run: pd.DataFrame, measure: str, split: str = "train") -> float:
    """The value of the run's last epoch, NaN where it wasn't measured there."""
    return curve(run, measure, split).get(run.epoch.max(), math.nan)


def _fall(run: pd.DataFrame, measure: str, split: str = "train") -> float:
    """How many times smaller the last value is than the first."""
    values = curve(run, measure, split)
    return np.float64(values.iloc[0]) / values.iloc[-1] if len(values) else math.nan


def change_after_zero_error(run: pd.DataFrame, measure: str, split: str = "train") -> float:
    return np.float64(_last(run, measure, split)) / _at_zero_error(run, measure, split)


def identity_error(run: pd.DataFrame) -> float:
    """The greatest relative difference of the loss and the sum of its terms, for both lambdas, over all epochs."""
    errors = []
    for suffix in ("", "__half_wd"):
        loss = curve(run, "loss" + suffix)
        errors.append((sum(curve(run, term + suffix) for term in _TERMS) / loss - 1).abs())
    return pd.concat(errors).max(skipna=False)


def greatest(run: pd.DataFrame, measure: str) -> float:
    """Of all epochs; NaN where one is, or none was measured."""
    return curve(run, measure).max(skipna=False)


def epoch_of_small_deviation(run: pd.DataFrame) -> float:
    """The first measured epoch from which on L_perp stays below L_NC1, over that of 99.9 % train accuracy."""
    above = curve(run, "loss_perp") >= curve(run, "loss_nc1")
    since = above.index[~above[::-1].cummax()[::-1]]
    return (since[0] if len(since) else math.inf if len(above) else math.nan) / (zero_error_epoch(run) or math.nan)


def share_at_end(run: pd.DataFrame, term: str) -> float:
    return _last(run, term) / _last(run, "loss")


def deviation_over_variability(run: pd.DataFrame) -> float:
    return _last(run, "loss_perp") / _last(run, "loss_nc1_within")


def lead_of_nc23(run: pd.DataFrame) -> float:
    """The fall of L_NC2/3 over the greater of those of the other two terms."""
    return _fall(run, "loss_nc23") / max(_fall(run, "loss_nc1"), _fall(run, "loss_perp"))


def lead_over_softmax(run: pd.DataFrame, score: str, of: str) -> float:
    """The last AUROC of a score, minus that of the maximum softmax probability."""
    first, second = (_last(run, f"{kind}__{of}__auroc", "test") for kind in (score, "maximum_softmax"))
    return first - second


def robustness_gain(run: pd.DataFrame) -> float:
    return _last(run, _ROBUSTNESS_MEASURE, "test") - _at_zero_error(run, _ROBUSTNESS_MEASURE, "test")


def accuracy_gain(run: pd.DataFrame) -> float:
    return 100 * (_at_zero_error(run, "error", "test") - _last(run, "error", "test"))


def accuracy_gain_over_images(rows: pd.DataFrame) -> Estimate:
    """The gain in percentage points, all seeds pooled, and its exact confidence interval.

    Of the images that are wrong at one of the two epochs, how many are so at the first (Clopper & Pearson)? Which ones
    are wrong at both isn't in the tables, so all count as different ones: the interval is at least as wide as that of
    McNemar's test, which would leave those out.
    """
    pairs = [
        (run.images.iloc[0] * _at_zero_error(run, "error", "test"), run.images.iloc[0] * _last(run, "error", "test"))
        for _, run in runs(rows)
    ]
    images = sum(run.images.iloc[0] for _, run in runs(rows))
    first, last = np.sum(pairs, axis=0).round()
    wrong = first + last
    gain = np.mean([accuracy_gain(run) for _, run in runs(rows)])
    if math.isnan(wrong) or not wrong:
        return Estimate(gain, math.nan, math.nan)
    tail = (1 - _CONFIDENCE) / 2
    low = betaincinv(first, last + 1, tail) if first else 0.0
    high = betaincinv(first + 1, last, 1 - tail) if last else 1.0
    return Estimate(gain, *(100 * wrong / images * (2 * share - 1) for share in (low, high)))


def nc1_test_over_train(run: pd.DataFrame) -> float:
    return _last(run, "nc1", "test") / _last(run, "nc1")


def nc1_fall_train_over_test(run: pd.DataFrame) -> float:
    return _fall(run, "nc1") / _fall(run, "nc1", "test")


# What is measured of a pair and of the study.


def mse_over_ce_at_end(pair: pd.DataFrame, measure: str, split: str = "train") -> Estimate:
    """The ratio of the last values: of the medians over the seeds, and of the seeds furthest apart."""
    mse, ce = (over_seeds(_last, measure=measure, split=split)(pair[pair.loss == loss]) for loss in ("mse", "ce"))
    ratio = np.divide(mse, ce)[0]
    return Estimate(ratio, np.float64(mse.least) / ce.greatest, np.float64(mse.greatest) / ce.least)


def over_trainings(study: pd.DataFrame, of_run: Callable[[pd.DataFrame], float], statistic: Callable) -> Estimate:
    """A statistic over the trainings that reached 99.9 % train accuracy, each the median over its seeds.

    The range is a bootstrap's over trainings, which fewer than three are too few for.
    """
    medians = np.array([over_seeds(of_run)(rows).value for _, rows in _trainings(study)])
    reached = medians[~np.isnan(medians)]
    if not len(reached):
        return Estimate(math.nan, math.nan, math.nan)
    if len(reached) < 3:
        return Estimate(statistic(reached), math.nan, math.nan)
    drawn = np.random.default_rng(0).choice(reached, (10_000, len(reached)))
    tail = (1 - _CONFIDENCE) / 2
    return Estimate(statistic(reached), *np.quantile(statistic(drawn, axis=1), [tail, 1 - tail]))


def correlation_with_setting(trainings: pd.DataFrame, measure: str, split: str = "train") -> Estimate:
    """Spearman's correlation of a setting and the last value of a measure: of medians over seeds, and of each seed."""
    last = pd.DataFrame(
        [(run.seed, rows.setting.iloc[0], _last(rows, measure, split)) for run, rows in runs(trainings)],
        columns=["seed", "setting", "value"],
    ).dropna()
    medians = last.groupby("setting", as_index=False).value.median()
    if len(medians) < 3:
        return Estimate(math.nan, math.nan, math.nan)
    of_seeds = [rows.setting.rank().corr(rows.value.rank()) for _, rows in last.groupby("seed")]
    return Estimate(medians.setting.rank().corr(medians.value.rank()), np.min(of_seeds), np.max(of_seeds))


def difficulty_correlation(study: pd.DataFrame) -> Estimate:
    """Spearman's correlation, over the data sets, of the last test error and the last NC1 on test data (medians).

    The range is that of leaving out any one data set.
    """
    last = pd.DataFrame(
        [(run.dataset, _last(rows, "error", "test"), _last(rows, "nc1", "test")) for run, rows in runs(study)],
        columns=["dataset", "error", "nc1"],
    )
    medians = last.groupby("dataset").median()
    without = [_rank_correlation(medians.drop(name)) for name in medians.index]
    return Estimate(_rank_correlation(medians), np.min(without), np.max(without))


def _rank_correlation(medians: pd.DataFrame) -> float:
    ranks = medians.rank()
    return ranks.error.corr(ranks.nc1)


def _goes_on(claim: str, statement: str, measure: str, figure: int, losses: tuple[str, ...] = ()) -> Claim:
    return Claim(
        claim=claim,
        source=f"HPD figure {figure}, PHD figure {figure - 1}",
        statement=statement,
        paper="goes on falling after zero error",
        quantity=f"{measure} at the last epoch, divided by {measure} at {_ZERO_ERROR}",
        measured=over_seeds(change_after_zero_error, measure=measure),
        relation="<",
        bound=1,
        losses=losses,
    )


RUN_CLAIMS = (
    Claim(
        claim="loss-is-sum",
        source="HPD theorems 1 and 2",
        statement="The loss is the sum of its terms",
        paper="exact",
        quantity="greatest |(L_NC1 + L_NC2/3 + L_perp) / L - 1| of any epoch",
        measured=over_seeds(identity_error),
        relation="<=",
        bound=1e-10,
        margin=1,
        losses=("mse",),
    ),
    Claim(
        claim="regularised-law",
        source="HPD theorem 2, with weight decay; not in the papers",
        statement="The regularised signal-to-noise spectrum and the global mean give the least-squares loss",
        paper="not said",
        quantity="greatest relative difference of L_LS and the law, of any epoch",
        measured=over_seeds(greatest, measure="law_residual"),
        relation="<=",
        bound=1e-12,
        margin=1,
        losses=("mse",),
    ),
    Claim(
        claim="near-least-squares-early",
        source="HPD figure 2",
        statement="The classifier stays close to least squares from early on",
        paper="L_perp is below L_NC1 from an early epoch on",
        quantity=f"epoch from which on L_perp < L_NC1, divided by {_ZERO_ERROR}",
        measured=over_seeds(epoch_of_small_deviation),
        relation="<=",
        bound=1,
        margin=1,
        losses=("mse",),
    ),
    Claim(
        claim="deviation-negligible",
        source="HPD figure 2",
        statement="The deviation from least squares becomes negligible",
        paper="L_perp << L_LS",
        quantity="L_perp / L at the last epoch",
        measured=over_seeds(share_at_end, term="loss_perp"),
        relation="<",
        bound=0.05,
        losses=("mse",),
    ),
    Claim(
        claim="deviation-below-variability",
        source="not in the papers, whose L_NC1 holds the weight decay",
        statement="The deviation from least squares is below the within-class variability in the loss",
        paper="not said",
        quantity="L_perp / L_NC1 without its weight decay, at the last epoch",
        measured=over_seeds(deviation_over_variability),
        relation="<",
        bound=1,
        losses=("mse",),
    ),
    Claim(
        claim="nc1-dominates-loss",
        source="HPD figure 2",
        statement="L_NC1 dominates the loss",
        paper="the dominant term",
        quantity="L_NC1 / L at the last epoch",
        measured=over_seeds(share_at_end, term="loss_nc1"),
        relation=">",
        bound=0.5,
        losses=("mse",),
    ),
    Claim(
        claim="nc23-falls-fastest",
        source="HPD figure 2",
        statement="L_NC2/3 falls fastest",
        paper="diminishes the fastest among all the terms",
        quantity="how many times smaller L_NC2/3 becomes from the first to the last epoch, divided by how many times "
        "smaller the faster of L_NC1 and L_perp becomes",
        measured=over_seeds(lead_of_nc23),
        relation=">",
        bound=1,
        losses=("mse",),
    ),
    Claim(
        claim="spectrum-equalises",
        source="HPD corollary 1",
        statement="The signal-to-noise spectrum equalises",
        paper="the least over the greatest singular value goes to one on the central path",
        quantity="least over greatest singular value of the regularised spectrum at the last epoch, divided by that at "
        f"{_ZERO_ERROR}",
        measured=over_seeds(change_after_zero_error, measure="snr_regularised_ratio"),
        relation=">",
        bound=1,
        losses=("mse",),
    ),
    _goes_on("equinorm-means", "Class means become equinorm", "equinorm_means", 3),
    _goes_on("equinorm-classifiers", "Classifiers become equinorm", "equinorm_classifier", 3),
    _goes_on("equiangular-means", "Class means become equiangular", "equiangularity_means", 4),
    _goes_on("equiangular-classifiers", "Classifiers become equiangular", "equiangularity_classifier", 4),
    _goes_on("max-angle-means", "Class means become maximally equiangular", "max_angle_means", 5),
    _goes_on("max-angle-classifiers", "Classifiers become maximally equiangular", "max_angle_classifier", 5),
    _goes_on("self-duality", "Classifiers become self-dual with class means", "self_duality", 6),
    _goes_on("variability-collapse", "Within-class variability collapses", "nc1", 7),
    Claim(
        claim="nearest-class-mean",
        source="HPD figure 8, PHD figure 7",
        statement="The classifier decides for the nearest class mean",
        paper="converges to the nearest class centre rule",
        quantity="mismatch on train data at the last epoch",
        measured=over_seeds(_last, measure="ncc_mismatch"),
        relation="<=",
        bound=0.001,
        margin=1,
    ),
    Claim(
        claim="robustness-improves",
        source="HPD figure 9, PHD figure 8",
        statement="Training beyond zero error makes the network more robust",
        paper="improves",
        quantity=f"least perturbation found at the last epoch, divided by that at {_ZERO_ERROR}",
        measured=over_seeds(change_after_zero_error, measure=_ROBUSTNESS_MEASURE, split="test"),
        relation=">",
        bound=1,
    ),
    Claim(
        claim="accuracy-improves",
        source="HPD table 1, PHD table 1",
        statement="Training beyond zero error improves test accuracy",
        paper="improves, but for SVHN-DenseNet40 under MSE",
        quantity=f"test accuracy in % at the last epoch, minus that at {_ZERO_ERROR}; 95 % confidence over images",
        measured=accuracy_gain_over_images,
        relation=">",
        bound=0,
    ),
    Claim(
        claim="test-collapses-less",
        source="HPD figure 12",
        statement="Features collapse less on test data",
        paper="the last value is larger than on train data",
        quantity="NC1 on test data, divided by NC1 on train data, at the last epoch",
        measured=over_seeds(nc1_test_over_train),
        relation=">",
        bound=1,
    ),
    Claim(
        claim="test-collapses-slower",
        source="HPD figure 12",
        statement="Features collapse more slowly on test data",
        paper="much slower than on train data",
        quantity="how many times smaller NC1 becomes from the first to the last epoch on train data, divided by how "
        "many times on test data",
        measured=over_seeds(nc1_fall_train_over_test),
        relation=">",
        bound=1,
    ),
)

PAIR_CLAIMS = (
    Claim(
        claim="mse-collapses-faster",
        source="HPD figure 10",
        statement="MSE collapses faster than CE",
        paper="tends to",
        quantity="NC1 under MSE, divided by NC1 under CE, at the last epoch",
        measured=partial(mse_over_ce_at_end, measure="nc1"),
        relation="<",
        bound=1,
        losses=("mse", "ce"),
    ),
    Claim(
        claim="mse-more-robust",
        source="HPD figure 11",
        statement="MSE is more robust than CE",
        paper="tends to, at times by magnitudes",
        quantity="least perturbation found under MSE, divided by that under CE, at the last epoch",
        measured=partial(mse_over_ce_at_end, measure=_ROBUSTNESS_MEASURE, split="test"),
        relation=">",
        bound=1,
        losses=("mse", "ce"),
    ),
)


def _improvement(claim: str, source: str, paper: str, gain: Callable, statistic: Callable, loss: str) -> Claim:
    statement, unit = _IMPROVED[claim]
    return Claim(
        claim=f"{claim}-{statistic.__name__}-{loss}",
        source=source,
        statement=statement,
        paper=paper,
        quantity=f"{unit}, {statistic.__name__} over the {loss.upper()} trainings: at the last epoch, minus at "
        f"{_ZERO_ERROR}; 95 % confidence by bootstrap",
        measured=partial(over_trainings, of_run=gain, statistic=statistic),
        relation=">",
        bound=0,
        losses=(loss,),
    )


_IMPROVED = {
    "accuracy": ("Training beyond zero error improves test accuracy", "percentage points"),
    "robustness": ("Training beyond zero error makes networks more robust", "least perturbation found"),
}

STUDY_CLAIMS = (
    _improvement("accuracy", "HPD table 1", "0.962", accuracy_gain, np.median, "mse"),
    _improvement("accuracy", "HPD table 1", "1.833", accuracy_gain, np.mean, "mse"),
    _improvement("robustness", "HPD figure 9", "0.1762 (DeepFool)", robustness_gain, np.median, "mse"),
    _improvement("robustness", "HPD figure 9", "0.9278 (DeepFool)", robustness_gain, np.mean, "mse"),
    _improvement("robustness", "PHD figure 8", "0.0252 (DeepFool)", robustness_gain, np.median, "ce"),
    _improvement("robustness", "PHD figure 8", "0.2452 (DeepFool)", robustness_gain, np.mean, "ce"),
)

DATA_CLAIMS = tuple(
    Claim(
        claim=f"harder-collapses-less-{loss}",
        source="HPD figure 12",
        statement=f"The harder the data set, the less features collapse on test data ({loss.upper()})",
        paper="roughly monotonic",
        quantity="rank correlation of test error and NC1 on test data at the last epoch, over the data sets; range "
        "without any one of them",
        measured=difficulty_correlation,
        relation=">",
        bound=0,
        losses=(loss,),
    )
    for loss in ("mse", "ce")
)


def outside_claims(of: str) -> tuple[Claim, ...]:
    """What is said of data out of distribution, by their name; each is about a training."""
    orthogonal = Claim(
        claim=f"orthogonal-{of}",
        source="arXiv 2310.06823, NC5",
        statement=f"The mean feature of data out of distribution becomes orthogonal to class means ({of})",
        paper="their cosines converge to zero",
        quantity=f"nc5 at the last epoch, divided by nc5 at {_ZERO_ERROR}",
        measured=over_seeds(change_after_zero_error, measure=f"nc5__{of}", split="test"),
        relation="<",
        bound=1,
    )
    scores = {"neco": "arXiv 2310.06823", "nci": "arXiv 2311.01479"}
    return orthogonal, *(
        Claim(
            claim=f"{score}-over-softmax-{of}",
            source=source,
            statement=f"{score.upper()} tells data out of distribution better than the maximum softmax does ({of})",
            paper="does so on average over data sets",
            quantity="difference of their AUROCs at the last epoch",
            measured=over_seeds(lead_over_softmax, score=score, of=of),
            relation=">",
            bound=0,
        )
        for score, source in scores.items()
    )


def _trend(claim: str, source: str, statement: str, paper: str, setting: str, measure: str, relation: str) -> Claim:
    return Claim(
        claim=claim,
        source=source,
        statement=statement,
        paper=paper,
        quantity=f"rank correlation of {in_words(setting)} and {measure} at the last epoch; range over the seeds",
        measured=partial(correlation_with_setting, measure=measure),
        relation=relation,
        bound=0,
    )


# By the setting that they are about, named as in a grid.
SETTING_CLAIMS = {
    "weight_decay": (
        _trend(
            "decay-collapses-features",
            "arXiv 2309.04644",
            "The more weight decay, the less features of a class vary",
            "collapse gets closer",
            "weight_decay",
            "nc1",
            "<",
        ),
        _trend(
            "decay-spreads-means",
            "arXiv 2309.04644",
            "The more weight decay, the nearer class means are to a simplex",
            "collapse gets closer",
            "weight_decay",
            "max_angle_means",
            "<",
        ),
    ),
    "dataset.imbalance": (
        _trend(
            "minorities-collapse",
            "arXiv 2101.12699",
            "The rarer the minority classes, the smaller the angles between their classifiers",
            "they coincide from a finite ratio on",
            "dataset.imbalance",
            "minority_cosine_classifier",
            ">",
        ),
    ),
    "network.bottleneck": (
        _trend(
            "features-make-room",
            "arXiv 2310.05351",
            "The more features, the nearer class means are to a simplex",
            "a simplex needs C - 1 features; fewer leave another uniform frame",
            "network.bottleneck",
            "max_angle_means",
            "<",
        ),
    ),
}
