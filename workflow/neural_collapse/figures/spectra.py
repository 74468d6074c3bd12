"""Networks' SNR spectra over epochs, beside what the laws of the central path make of them (docs/theory.md)."""

from collections.abc import Sequence

import pandas as pd

from ..metrics.runs import COLUMNS
from ..metrics.tables import runs, zero_error_epoch
from ..theory.central_path import closed_form, fitted_times


def with_laws(table: pd.DataFrame, laws: Sequence[str]) -> pd.DataFrame:
    """The table, and rows of these measures, of the train split of each run that has an SNR spectrum.

    `snr`        the observed singular values, a row each: left out where Sigma_W doesn't see all C-1 of them
    `snr__regularised`  those of the regularised spectrum, where it was measured (`snr_regularised_1`, ...)
    `snr__LAW`   the closed form of the law, from the spectrum at the zero-error epoch (`zero_error_epoch`) on. At each
                 epoch one number is fitted: the time at which it has the geometric mean of the observed spectrum
    `snr_max`, `snr_min`, `snr_ratio`, also with `__LAW`, `__regularised`: the greatest, the least, their ratio
    """
    rows = [
        (*key, epoch, "train", measure, value)
        for key, run in runs(table)
        for name, spectra in _series(run, laws).items()
        for epoch, spectrum in spectra.iterrows()
        for measure, value in _rows(name, spectrum)
    ]
    return pd.concat([table, pd.DataFrame(rows, columns=COLUMNS)], ignore_index=True) if rows else table


def _rows(name: str, spectrum: pd.Series) -> list[tuple[str, float]]:
    least, greatest = spectrum.min(), spectrum.max()
    extremes = {"max": greatest, "min": least, "ratio": least / greatest}
    return [(f"snr{name}", omega) for omega in spectrum] + [(f"snr_{of}{name}", x) for of, x in extremes.items()]


def _series(run: pd.DataFrame, laws: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Observed and predicted spectra by the suffix of their measure, a row an epoch."""
    observed = _spectra(run, r"snr_\d+")
    series = {"": observed, "__regularised": _spectra(run, r"snr_regularised_\d+")}
    start = zero_error_epoch(run)
    later = observed[observed.index >= start] if start else observed[:0]
    if later.empty:
        return series
    classes, initial = later.shape[1] + 1, later.iloc[0].to_numpy()
    for law in laws:
        times = fitted_times(later.to_numpy(), initial, classes=classes, law=law)
        predicted = pd.DataFrame(closed_form(times, initial, classes=classes, law=law), later.index)
        series[f"__{law}"] = predicted.dropna()
    return series


def _spectra(run: pd.DataFrame, pattern: str) -> pd.DataFrame:
    """The train split's whole spectra, a row an epoch, of the measures that a pattern fits."""
    rows = run[(run.split == "train") & run.measure.str.fullmatch(pattern)]
    spectra = rows.pivot(index="epoch", columns="measure", values="value")
    return spectra[(spectra > 0).all(axis=1)]
