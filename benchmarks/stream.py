"""One pass over ImageNet's features in a memory-mapped file, against one matrix product of the same size.

On one core of an AMD EPYC, torch 2.13.0; seconds in brackets are the core's own, because the machine was shared, and so
is the ratio of the two:

    1280000 examples, P = 2048, 1000 classes, 1 threads
      one product    363.8 s (235.0)
      one pass       563.0 s (342.2), 1.46 times, peak 0.331 GiB

1.28 million examples of 2,048 float32 features (10 GiB) and 1,000 classes go through `CollapseAccumulator` in batches,
each mapped from the file and let go. The product is that of the features, in float64, with themselves: a sixteenth of
it is timed, on features at hand. "peak" is the memory needed beside the libraries and the accumulator's P x P. The file
holds one block of random features again and again; it is made in the folder named, and deleted.

    PYTHONPATH=workflow python benchmarks/stream.py FOLDER [--examples 1280000] [--threads 1]
"""

import argparse
import re
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from neural_collapse import CollapseAccumulator

CLASSES, FEATURES = 1000, 2048
BLOCK = 20_000  # different examples
BATCH = 2048
PART = 16  # the product is timed on one in so many batches


def write(path: Path, examples: int) -> np.ndarray:
    """Write the features and give the labels."""
    random = np.random.default_rng(0)
    labels = random.permutation(np.arange(BLOCK) % CLASSES)
    means = random.standard_normal((CLASSES, FEATURES), dtype=np.float32)
    block = means[labels] + np.float32(1e-2) * random.standard_normal((BLOCK, FEATURES), dtype=np.float32)
    with path.open("wb") as file:
        for start in range(0, examples, BLOCK):
            block[: examples - start].tofile(file)
    return np.resize(labels, examples)


def accumulate(path: Path, labels: np.ndarray) -> CollapseAccumulator:
    accumulator = CollapseAccumulator(np.bincount(labels), FEATURES)
    for start in range(0, len(labels), BATCH):
        truth = labels[start : start + BATCH]
        place = {"offset": start * FEATURES * 4, "shape": (len(truth), FEATURES)}
        accumulator.update(np.array(np.memmap(path, np.float32, "r", **place)), truth)
    return accumulator


def product(batches: int) -> None:
    batch = torch.randn(BATCH, FEATURES, dtype=torch.float64)
    total = torch.zeros(FEATURES, FEATURES, dtype=torch.float64)
    for _ in range(batches):
        total.addmm_(batch.T, batch)


def peak_memory() -> float:
    """The most memory this process has had, in GiB."""
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) / 2**20


def timed(work, *arguments) -> tuple[float, float]:
    """Seconds, and seconds of all cores."""
    start, core_start = time.perf_counter(), time.process_time()
    work(*arguments)
    return time.perf_counter() - start, time.process_time() - core_start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--examples", type=int, default=1_280_000)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.NamedTemporaryFile(dir=options.folder) as file:
        labels = write(Path(file.name), options.examples)
        product(1)  # load what is loaded on first use
        batches = max(1, len(labels) // BATCH // PART)
        scale = len(labels) / BATCH / batches
        wall, core = (scale * seconds for seconds in timed(product, batches))
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts from here (Linux)
        memory = peak_memory()
        seconds, core_seconds = timed(accumulate, Path(file.name), labels)
        peak = peak_memory() - memory - 8 * FEATURES**2 / 2**30
    print(f"{len(labels)} examples, P = {FEATURES}, {CLASSES} classes, {options.threads} threads")
    print(f"  one product {wall:8.1f} s ({core:.1f})")
    print(f"  one pass    {seconds:8.1f} s ({core_seconds:.1f}), {core_seconds / core:.2f} times, peak {peak:.3f} GiB")


if __name__ == "__main__":
    main()
