"""The measures of `collapse_measures` against those of `rhubarbwu/neural-collapse`, from 10 to 50,000 classes.

numpy 2.4.6, scipy 1.17.1, torch 2.13.0, against its commit c05a0b8. 10 classes by this script, nine turns, on a core of
a busy AMD EPYC; the others by its functions, one turn each, without the long double: 1,000 and 10,000 on one of an
Intel Xeon (2.5 GHz, AVX-512), 50,000 on the EPYC.

    10 classes of 500, P = 512: 3.3 and 1.9 times faster
      theirs, float64      0.21 s, peak  0.036 GiB, errors: nc1 7e-16, cdnv 1e-08, log_energy 5e-08, duality_error 2e-16
      theirs, float32      0.12 s, peak  0.014 GiB, errors: nc1 3e-08, cdnv 1e-08, log_energy 1e-07, duality_error 2e-07
      ours, all            0.07 s, peak  0.008 GiB, errors: nc1 2e-16, cdnv 9e-17, log_energy 5e-17, duality_error 1e-16
      ours                 0.06 s, peak  0.008 GiB, errors: as all
    1000 classes of 20, P = 512: 4.3 and 2.4 times faster
      theirs, float64     14.22 s, peak  0.075 GiB
      theirs, float32      7.84 s, peak  0.025 GiB
      ours, all            3.30 s, peak  0.055 GiB
    10000 classes of 5, P = 256: more than 11 and 4.4 times faster
      theirs, float64   > 400    s (stopped)
      theirs, float32    149.59 s, peak  0.432 GiB
      ours, all           34.26 s, peak  0.230 GiB
    50000 classes of 2, P = 64, streaming: more than 4.8 and 2.4 times faster; theirs without measures of pairs
      theirs, float64   > 239    s (stopped)
      theirs, float32   > 121    s (stopped)
      ours                49.31 s, peak  0.146 GiB

Each way runs in a process of its own with one thread, the three by turns in one run; the seconds are those of its core,
the least of all turns. "peak" is the memory needed beside the features and the libraries. The other package is called
as its README says, with tiles of 64 and batches of 1,024, in float64 and in float32 (its default): NC1 by the
pseudo-inverse, CDNV, the ETF error of the means, mean and variance of the logarithmic kernel, the duality error, the
variance of the similarities, the agreement of classifier and nearest class centre. "ours" is the functions that hold
these, and more; "ours, all" is `collapse_measures`. Errors are relative, against the definitions in long double.

    git clone https://github.com/rhubarbwu/neural-collapse /tmp/peer
    PYTHONPATH=workflow python benchmarks/peers.py /tmp/peer [--classes 10 1000 10000 50000] [--turns 3]
"""

import argparse
import importlib.util
import multiprocessing
import os
import re
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from neural_collapse import CollapseAccumulator, collapse_measures, geometry_measures
from neural_collapse.features.moments import class_moments, example_measures

BATCH = 1024
TILE = 64


class Size(NamedTuple):
    features: int
    per_class: int


SIZES = {10: Size(512, 500), 1_000: Size(512, 20), 10_000: Size(256, 5), 50_000: Size(64, 2)}


class Values(NamedTuple):
    """What both ways measure."""

    nc1: float
    cdnv: float
    etf_error: float
    log_energy: float
    log_energy_variance: float
    duality_error: float
    mismatch: float


def make(classes: int, size: Size) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Float32 features as they are late in training, off the origin and collapsed, in random order."""
    features, per_class = size
    random = np.random.default_rng(0)
    labels = random.permutation(np.repeat(np.arange(classes), per_class))
    means = random.standard_normal((classes, features), dtype=np.float32)
    found = means[labels] + np.float32(1)
    for rows in np.array_split(np.arange(len(labels)), 50):
        found[rows] += np.float32(1e-2) * random.standard_normal((len(rows), features), dtype=np.float32)
    weight = means - means.mean(0) + np.float32(0.1) * random.standard_normal(means.shape, dtype=np.float32)
    return found, labels, weight


def ours(features: np.ndarray, labels: np.ndarray, weight: np.ndarray) -> Values:
    return _values(collapse_measures(features, labels, weight))


def ours_alike(features: np.ndarray, labels: np.ndarray, weight: np.ndarray) -> Values:
    """Of ours, the functions that hold what both have: without the loss and the signal-to-noise spectrum."""
    weight = weight.astype(np.float64)
    moments = class_moments(features, labels, len(weight))
    of_examples = example_measures(features, labels, moments.class_means, weight)
    return _values(geometry_measures(moments, weight) | of_examples)


def _values(found: dict[str, float]) -> Values:
    return Values(
        found["nc1"],
        found["cdnv"],
        found["etf_error_means"],
        found["log_energy_means"],
        found["log_energy_variance_means"],
        found["etf_error_duality"],
        found["ncc_mismatch"],
    )


def ours_streaming(features: np.ndarray, labels: np.ndarray, weight: np.ndarray) -> dict[str, float]:
    accumulator = CollapseAccumulator(np.bincount(labels), features.shape[1])
    for start in range(0, len(labels), BATCH):
        accumulator.update(features[start : start + BATCH], labels[start : start + BATCH])
    return geometry_measures(accumulator.moments(), weight.astype(np.float64))


def load_peer(checkout: Path):
    """The other package, under a name that is not ours."""
    folder = checkout / "neural_collapse"
    for name, file in (("peer", "__init__"), ("peer.util", "util"), ("peer.accumulate", "accumulate")):
        spec = importlib.util.spec_from_file_location(
            name, folder / f"{file}.py", submodule_search_locations=[str(folder)] if name == "peer" else None
        )
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return tuple(importlib.import_module(f"peer.{name}") for name in ("accumulate", "kernels", "measure"))


class Peer:
    def __init__(self, checkout: Path, dtype: torch.dtype):
        self.checkout, self.dtype = checkout, dtype

    def accumulate(self, features, labels, weight):
        accumulate, *_ = load_peer(self.checkout)
        features, labels, weight = (torch.from_numpy(array) for array in (features, labels, weight))
        weight = weight.to(self.dtype)
        made = {"n_classes": len(weight), "d_vectors": weight.shape[1], "dtype": self.dtype}
        batches = [slice(start, start + BATCH) for start in range(0, len(labels), BATCH)]
        of_means = accumulate.MeanAccumulator(**made)
        for rows in batches:
            of_means.accumulate(features[rows].to(self.dtype), labels[rows])
        means, mean = of_means.compute()
        covariance = accumulate.CovarAccumulator(**made, M=means)
        norms = accumulate.VarNormAccumulator(**made, M=means)
        decisions = accumulate.DecAccumulator(**made, M=means, W=weight)
        for rows in batches:
            batch = features[rows].to(self.dtype), labels[rows]
            covariance.accumulate(*batch, means)
            norms.accumulate(*batch, means)
            decisions.accumulate(*batch, weight, means)
        return means, mean, covariance.compute(), norms.compute()[0], decisions, weight

    @torch.no_grad()
    def __call__(self, features, labels, weight) -> Values:
        _, kernels, measure = load_peer(self.checkout)
        means, mean, covariance, norms, decisions, weight = self.accumulate(features, labels, weight)
        measure.similarities(weight, means, mean).var().item()
        return Values(
            measure.covariance_ratio(covariance, means, mean),
            measure.variability_cdnv(norms, means, tile_size=TILE),
            measure.simplex_etf_error(means, mean),
            *kernels.kernel_stats(means, mean, kernel=kernels.log_kernel, tile_size=TILE),
            measure.self_duality_error(weight, means, mean),
            1 - measure.clf_ncc_agreement(decisions),
        )


class StreamingPeer(Peer):
    """What it can do of 50,000 classes: its measures of pairs would hold arrays of 10 and 20 GB."""

    @torch.no_grad()
    def __call__(self, features, labels, weight) -> dict[str, float]:
        *_, measure = load_peer(self.checkout)
        means, mean, covariance, *_ = self.accumulate(features, labels, weight)
        return {"nc1": measure.covariance_ratio(covariance, means, mean)}


def reference(features: np.ndarray, labels: np.ndarray, weight: np.ndarray) -> Values:
    """The definitions in long double, with sums over all pairs and no product of BLAS."""
    classes = len(weight)
    order = np.argsort(labels, kind="stable")
    grouped = features[order].astype(np.longdouble).reshape(classes, -1, features.shape[1])
    weight = weight.astype(np.longdouble)
    means = grouped.mean(1)
    residuals = (grouped - means[:, None]).reshape(len(labels), -1)
    variances = (residuals**2).sum(1).reshape(classes, -1).mean(1)
    centred = means - means.mean(0)
    columns = np.ascontiguousarray(residuals.T)
    within = columns @ columns.T / len(labels)
    if classes > features.shape[1]:
        nc1 = np.trace(_solve(centred.T @ centred / classes, within)) / classes
    else:
        # M = E B with the rows of B all but the last of M: Sigma_B^+ = C B^+ (E^T E)^-1 B^+^T, E^T E = I + 1 1^T.
        some = centred[:-1]
        dual = _solve(some @ some.T, some)
        nc1 = np.trace(_solve(np.eye(classes - 1) + np.longdouble(1), dual @ within @ dual.T))
    lengths = np.sqrt((centred**2).sum(1))
    # Norms, traces and sums of M M^T and W M^T, a block of rows at a time.
    grams = {"means": [0, 0, 0], "duality": [0, 0, 0]}
    cdnv, energy, squared_energy = np.zeros(3, dtype=np.longdouble)
    for rows in np.array_split(np.arange(classes), max(1, classes // 200)):
        for name, left in (("means", centred), ("duality", weight)):
            gram = left[rows] @ centred.T
            for place, term in enumerate(((gram**2).sum(), gram[np.arange(len(rows)), rows].sum(), gram.sum())):
                grams[name][place] += term
            if name == "duality":
                continue
            squares = lengths[rows, None] ** 2 + lengths**2 - 2 * gram
            squares[np.arange(len(rows)), rows] = np.inf
            cdnv += ((variances[rows, None] + variances) / 2 / squares).sum()
            cosines = gram / lengths[rows, None] / lengths
            cosines[np.arange(len(rows)), rows] = 0.5  # a distance of 1, whose logarithm is 0
            logarithms = np.log(2 - 2 * cosines) / -2
            energy += logarithms.sum()
            squared_energy += (logarithms**2).sum()
    pairs = classes * (classes - 1)
    errors = {
        name: np.sqrt(2 - 2 * (trace - total / classes) / np.sqrt(np.longdouble(classes - 1)) / np.sqrt(square))
        for name, (square, trace, total) in grams.items()
    }
    energy /= pairs
    nearest, decided = [], []
    for rows in np.array_split(np.arange(len(labels)), max(1, len(labels) * classes // 10**7)):
        block = features[rows].astype(np.float64)
        decided.append((block @ weight.astype(np.float64).T).argmax(1))
        halves = (centred.astype(np.float64) ** 2).sum(1) / 2
        nearest.append(((block - means.mean(0)).astype(np.float64) @ centred.astype(np.float64).T - halves).argmax(1))
    mismatch = np.mean(np.concatenate(nearest) != np.concatenate(decided))
    return Values(
        nc1, cdnv / pairs, errors["means"], energy, squared_energy / pairs - energy**2, errors["duality"], mismatch
    )


def _solve(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """A positive definite system by elimination, in the type of its numbers."""
    matrix, right = matrix.astype(np.longdouble), right.astype(np.longdouble)
    for row in range(len(matrix)):
        factors = matrix[row + 1 :, row] / matrix[row, row]
        matrix[row + 1 :, row:] -= factors[:, None] * matrix[row, row:]
        right[row + 1 :] -= factors[:, None] * right[row]
    for row in reversed(range(len(matrix))):
        right[row] = (right[row] - matrix[row, row + 1 :] @ right[row + 1 :]) / matrix[row, row]
    return right


def run(way, classes: int) -> tuple[float, float, object]:
    """Seconds of the core, peak memory in GiB beside the features, and the values of one way."""
    way(*make(6, Size(16, 10)))  # load what is loaded on first use
    arrays = make(classes, SIZES[classes])
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts from here (Linux)
    memory, start = peak_memory(), time.process_time()
    values = way(*arrays)
    return time.process_time() - start, peak_memory() - memory, values


def peak_memory() -> float:
    """The most memory this process has had, in GiB."""
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) / 2**20


def apart(way, classes: int):
    """What `run` gives, in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(run, way, classes).result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkout", type=Path, help="a checkout of the other package")
    parser.add_argument("--classes", nargs="+", type=int, default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    # Read by the processes that are started from here.
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    for classes in options.classes:
        streaming = classes == max(SIZES)
        peer = StreamingPeer if streaming else Peer
        ways = {
            "theirs, float64": peer(options.checkout, torch.float64),
            "theirs, float32": peer(options.checkout, torch.float32),
            **({"ours": ours_streaming} if streaming else {"ours, all": ours, "ours": ours_alike}),
        }
        found = {name: [] for name in ways}
        for _ in range(options.turns):
            for name, way in ways.items():
                found[name].append(apart(way, classes))
        exact = None if streaming else apart(reference, classes)[2]
        features, per_class = SIZES[classes]
        seconds = {name: min(second for second, *_ in runs) for name, runs in found.items()}
        ratios = [f"{seconds[name] / seconds['ours']:.1f}" for name in ways if "theirs" in name]
        print(f"{classes} classes of {per_class}, P = {features}: {ratios[0]} and {ratios[1]} times faster")
        for name, runs in found.items():
            values = runs[0][2]
            about = f"  {name:16} {seconds[name]:8.2f} s, peak {max(peak for _, peak, _ in runs):6.3f} GiB"
            if exact is not None:
                errors = (
                    f"{key} {abs(float(value) - want) / abs(want) if want else abs(value):.0e}"
                    for key, value, want in zip(Values._fields, values, exact, strict=True)
                )
                about += f", errors: {', '.join(errors)}"
            print(about, flush=True)


if __name__ == "__main__":
    main()
