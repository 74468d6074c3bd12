"""The measures of `collapse_measures` against those of a notebook, on the same features.

On two x86-64 cores, 14 to 32 times faster at P = 512 (eleven runs; 21 times with one thread), 85 times at P = 4096:

    10 classes of 500 examples, 2 threads
    P = 512, 18 times faster
      notebook     1.11 s (2.21), peak  0.05 GiB, errors: nc1 2e-07, loss_nc1 3e-04, loss_nc23 2e+03, loss_perp 1e-03
      ours         0.06 s (0.13), peak  0.01 GiB, errors: nc1 2e-15, loss_nc1 2e-15, loss_nc23 4e-11, loss_perp 1e-15
    P = 4096, 85 times faster
      notebook   153.36 s (261.66), peak  1.56 GiB, errors: nc1 6e-08, loss_nc1 1e-02, loss_nc23 2e+06, loss_perp 3e-02
      ours         1.81 s (3.44), peak  0.29 GiB, errors: nc1 6e-16, loss_nc1 1e-15, loss_nc23 4e-10, loss_perp 7e-15

The notebook's way is what published notebooks do: everything in float32; one pass over batches for the class means; one
for the covariance, class by class, as a sum of every example's outer product, and for every example's nearest class
centre; the pseudo-inverse of the P x P covariance between classes; the inverse of the extended second moments for W_LS.
Each way runs in a process of its own, up to nine times; the seconds are medians, in brackets those of all its cores
together. "peak" is the memory needed beside the features and the libraries. Errors are relative, against float64
written in a third way.

    PYTHONPATH=workflow python benchmarks/measures.py [--features 512 4096] [--examples-per-class 500]
"""

import argparse
import multiprocessing
import re
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch

from neural_collapse import collapse_measures

CLASSES = 10
LAMBDA = 2.5e-3
BATCH = 128
REPETITIONS = 9  # of each way,
ENOUGH = 30.0  # unless they take more seconds together


def make(features: int, per_class: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Float32 features as they are late in training: positive on average, and deeply collapsed."""
    random = np.random.default_rng(0)
    labels = random.permutation(np.repeat(np.arange(CLASSES), per_class))
    means = random.standard_normal((CLASSES, features))
    within = random.standard_normal((len(labels), features)).astype(np.float32) * np.float32(1e-3)
    found = means.astype(np.float32)[labels] + within + np.float32(1)
    weight = (means - means.mean(0) + 0.01 * random.standard_normal(means.shape)) / features
    return found, labels, weight.astype(np.float32), np.full(CLASSES, 0.1, dtype=np.float32)


def ours(features, labels, weight, bias) -> dict[str, float]:
    return collapse_measures(features, labels, weight, bias, weight_decay_lambda=LAMBDA)


@torch.no_grad()
def notebook(features, labels, weight, bias) -> dict[str, float]:
    features, labels, W, b = (torch.from_numpy(array) for array in (features, labels, weight, bias))
    N, P = features.shape
    batches = [slice(start, start + BATCH) for start in range(0, N, BATCH)]

    sums, counts = torch.zeros(CLASSES, P), torch.zeros(CLASSES)
    for batch in batches:
        for c in range(CLASSES):
            h = features[batch][labels[batch] == c]
            sums[c] += h.sum(0)
            counts[c] += len(h)
    means = sums / counts[:, None]

    sigma_w, wrong, mismatched = torch.zeros(P, P), 0, 0
    for batch in batches:
        for c in range(CLASSES):
            h = features[batch][labels[batch] == c]
            if len(h) == 0:
                continue
            z = h - means[c]
            sigma_w += torch.matmul(z.unsqueeze(-1), z.unsqueeze(1)).sum(0)
            decided = (h @ W.T + b).argmax(1)
            distances = torch.stack([torch.norm(h[i] - means, dim=1) for i in range(len(h))])
            wrong += sum(decided != c).item()
            mismatched += sum(decided != distances.argmin(1)).item()
    sigma_w /= N

    mean = means.mean(0)
    centred = (means - mean).T
    sigma_b = centred @ centred.T / CLASSES
    norms, cosines = {}, {}
    for of, vectors in (("means", centred), ("classifier", W.T)):
        norms[of] = vectors.norm(dim=0)
        unit = vectors / norms[of]
        cosines[of] = torch.tensor([unit[:, i] @ unit[:, j] for i in range(CLASSES) for j in range(CLASSES) if i != j])

    extended = torch.cat([means, torch.ones(CLASSES, 1)], 1)
    second = extended.T @ extended / CLASSES + LAMBDA * torch.eye(P + 1)
    second[:P, :P] += sigma_w
    best = extended / CLASSES @ torch.linalg.inv(second)
    mine = torch.cat([W, b[:, None]], 1)
    sigma_w_extended = torch.zeros(P + 1, P + 1)
    sigma_w_extended[:P, :P] = sigma_w
    return {
        "error": wrong / N,
        "ncc_mismatch": mismatched / N,
        "nc1": (torch.trace(sigma_w @ torch.linalg.pinv(sigma_b)) / CLASSES).item(),
        "self_duality": ((W.T / W.norm() - centred / centred.norm()).norm() ** 2).item(),
        **{f"equinorm_{of}": (n.std(correction=0) / n.mean()).item() for of, n in norms.items()},
        **{f"equiangularity_{of}": x.std(correction=0).item() for of, x in cosines.items()},
        **{f"max_angle_{of}": (x + 1 / (CLASSES - 1)).abs().mean().item() for of, x in cosines.items()},
        "loss_nc1": torch.trace(best @ (sigma_w_extended + LAMBDA * torch.eye(P + 1)) @ best.T).item() / 2,
        "loss_nc23": ((best @ extended.T - torch.eye(CLASSES)).norm() ** 2 / (2 * CLASSES)).item(),
        "loss_perp": torch.trace((mine - best) @ second @ (mine - best).T).item() / 2,
    }


def reference(features, labels, weight, bias) -> dict[str, float]:
    """Some of the measures in float64, by formulae that neither of the two ways uses."""
    features, weight, bias = (array.astype(np.float64) for array in (features, weight, bias))
    means = np.stack([features[labels == c].mean(0) for c in range(CLASSES)])
    inverse = np.linalg.pinv(means - means.mean(0))  # (P, C): Sigma_B^+ = C inverse inverse^T
    features -= means[labels]
    nc1 = ((features @ inverse) ** 2).sum() / len(features)
    extended = np.column_stack([means, np.ones(CLASSES)])
    second = extended.T @ extended / CLASSES + LAMBDA * np.eye(extended.shape[1])
    second[:-1, :-1] += features.T @ features / len(features)
    best = np.linalg.solve(second, extended.T / CLASSES).T
    difference = np.column_stack([weight, bias]) - best
    within = ((features @ best[:, :-1].T) ** 2).sum() / len(features)
    return {
        "nc1": nc1,
        "loss_nc1": (within + LAMBDA * (best**2).sum()) / 2,
        "loss_nc23": ((best @ extended.T - np.eye(CLASSES)) ** 2).sum() / (2 * CLASSES),
        "loss_perp": ((difference @ second) * difference).sum() / 2,
    }


def run(way, features: int, per_class: int) -> tuple[float, float, float, dict[str, float]]:
    """Seconds, seconds of all cores (both medians), peak memory in GiB, and the values of one way."""
    arrays = make(features, per_class)
    way(*make(64, 20))  # load what is loaded on first use
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts from here (Linux)
    memory = peak_memory()
    seconds, core_seconds = [], []
    while len(seconds) < REPETITIONS and sum(seconds) < ENOUGH:
        start, core_start = time.perf_counter(), time.process_time()
        values = way(*arrays)
        seconds.append(time.perf_counter() - start)
        core_seconds.append(time.process_time() - core_start)
    return statistics.median(seconds), statistics.median(core_seconds), peak_memory() - memory, values


def peak_memory() -> float:
    """The most memory this process has had, in GiB."""
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--features", nargs="+", type=int, default=[512, 4096])
    parser.add_argument("--examples-per-class", type=int, default=500)
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    print(f"{CLASSES} classes of {options.examples_per_class} examples, {torch.get_num_threads()} threads")
    for features in options.features:
        found = {}
        for way in (notebook, ours, reference):
            with ProcessPoolExecutor(1, mp_context=context) as process:
                found[way.__name__] = process.submit(run, way, features, options.examples_per_class).result()
        *_, exact = found.pop("reference")
        print(f"P = {features}, {found['notebook'][0] / found['ours'][0]:.0f} times faster")
        for name, (seconds, core_seconds, peak, values) in found.items():
            errors = ", ".join(f"{key} {abs(values[key] / exact[key] - 1):.0e}" for key in exact)
            print(f"  {name:8} {seconds:8.2f} s ({core_seconds:.2f}), peak {peak:5.2f} GiB, errors: {errors}")


if __name__ == "__main__":
    main()
