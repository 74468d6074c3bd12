"""Attack a run's networks on test images and record how robust they are.

DeepFool, as the papers have it, at some or all measured epochs. Where gradients vanish its perturbations are far from
the least. The smallest known to several attacks (`robustness__minimum`) costs some hundred passes more, and is taken
where it decides a claim: at the first measured epoch with zero train error (99.9 % accuracy), and at the last.
"""

import argparse
import math
from collections.abc import Callable, Iterator
from itertools import pairwise, starmap
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from ..config.names import PLAIN
from ..data.dataset import Dataset, read_dataset, standardise
from ..device import prepare_device
from ..metrics.adversarial import choose_images, deepfool, least_perturbations, nearest_other, perturbation_sizes
from ..metrics.runs import ZERO_ERROR, RunKey, write_measures
from ..train.checkpoints import load_network
from ._options import setting
from ._stopping import stop_argument, stop_requests

_BATCH = 1000  # train images at a time
_FIRST_BATCH = 100  # few, for most networks before zero error show theirs in these


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", required=True, type=Path, help="the prepared data set")
    parser.add_argument("--checkpoints", required=True, nargs="+", type=Path, help="the networks of one run")
    parser.add_argument("--dataset", required=True, type=setting("name"), help="for the table: the run's data set, ...")
    parser.add_argument("--network", required=True, type=setting("name"), help="... its network, ...")
    parser.add_argument("--loss", required=True, type=setting("name"), help="... its loss, ...")
    parser.add_argument("--variant", default=PLAIN, type=setting("variant"), help="... and its variant, if any")
    parser.add_argument(
        "--seed", required=True, type=setting("seed"), help="the run's seed, which also chooses the images"
    )
    parser.add_argument(
        "--images",
        required=True,
        type=setting("study", "attack", "images"),
        help="how many test images are attacked, if there are so many",
    )
    parser.add_argument(
        "--iterations",
        required=True,
        type=setting("study", "attack", "iterations"),
        help="the most steps an image is given",
    )
    parser.add_argument(
        "--overshoot",
        required=True,
        type=setting("study", "attack", "overshoot"),
        help="the share by which a step oversteps",
    )
    parser.add_argument(
        "--epochs",
        required=True,
        type=setting("study", "attack", "epochs"),
        help="how many of the checkpoints are attacked, spread evenly and with the last, or `all`",
    )
    parser.add_argument("--threads", required=True, type=setting("training", "threads"), help="CPU threads")
    parser.add_argument("--output", required=True, type=Path, help="the robustness at each epoch (CSV)")
    stop_argument(parser)


def run(options: argparse.Namespace) -> None:
    with stop_requests(options.stop_with_parent) as check:
        run = RunKey(options.dataset, options.network, options.loss, options.variant, options.seed)
        values = _attack_all(options, check)
        check()  # a newer attack may have written the output since
        write_measures(options.output, run, values)


def _attack_all(options: argparse.Namespace, check: Callable[[], None]) -> list[tuple[int, str, str, float]]:
    device = prepare_device("float32", options.threads)
    dataset = read_dataset(options.data)
    chosen = choose_images(len(dataset.test_images), options.images, seed=options.seed)
    images = torch.from_numpy(dataset.test_images[chosen]).to(device, memory_format=torch.channels_last)
    images = standardise(images, dataset.mean, dataset.std)
    mean, std = (
        torch.as_tensor(values, dtype=torch.float32, device=device).view(-1, 1, 1)
        for values in (dataset.mean, dataset.std)
    )
    labels = torch.from_numpy(dataset.test_labels[chosen]).to(device)
    yardstick = nearest_other(images, labels, _train_batches(dataset, device))
    rows = []
    zero_error = False
    attacked = _spread(len(options.checkpoints), options.epochs)
    for place, path in enumerate(tqdm(options.checkpoints, desc="attack", unit="epoch", disable=None)):
        check()
        if zero_error and place not in attacked:
            continue
        network, epoch = load_network(path, dataset)
        network = network.requires_grad_(False).to(device, memory_format=torch.channels_last)
        first = not zero_error and _has_zero_error(network, dataset, device)
        zero_error = zero_error or first
        if not first and place not in attacked:
            continue
        perturbations, fooled = deepfool(network, images, iterations=options.iterations, overshoot=options.overshoot)
        sizes = perturbation_sizes(images, perturbations, fooled)
        in_pixels = perturbation_sizes(images * std + mean, perturbations * std, fooled)
        measures = {
            "robustness": _if_any(np.mean, sizes),
            "robustness__median": _if_any(np.median, sizes),
            "robustness__pixel": _if_any(np.mean, in_pixels),
            "robustness__failures": len(images) - int(fooled.sum()),
            "robustness__nearest_other": yardstick,
        }
        if first or path == options.checkpoints[-1]:
            others = (batch for batch, _ in _train_batches(dataset, device))
            least = least_perturbations(network, images, perturbations, others)
            measures["robustness__minimum"] = perturbation_sizes(images, *least).mean().item()
        failures = measures["robustness__failures"]
        tqdm.write(f"epoch {epoch}: robustness {measures['robustness']:.4f}, {failures} images not fooled")
        rows += [(epoch, "test", measure, value) for measure, value in measures.items()]
    return rows


def _if_any(statistic: Callable[[np.ndarray], np.floating], sizes: torch.Tensor) -> float:
    """Of the images that were fooled; NaN where there are none."""
    return float(statistic(sizes.cpu().numpy())) if len(sizes) else math.nan


def _spread(checkpoints: int, chosen: int | str) -> set[int]:
    """The places of so many checkpoints, evenly from the first to the last; of a single one the last."""
    count = checkpoints if chosen == "all" else min(int(chosen), checkpoints)
    return {checkpoints - 1 - round(place * (checkpoints - 1) / max(count - 1, 1)) for place in range(count)}


@torch.no_grad()
def _has_zero_error(network: torch.nn.Module, dataset: Dataset, device: torch.device) -> bool:
    """Whether the share of train images classified wrongly is at most ZERO_ERROR; looks no further once it is not."""
    wrong = 0
    for batch, labels in _train_batches(dataset, device):
        wrong += int((network(batch).argmax(1) != labels).sum())
        if wrong > ZERO_ERROR * len(dataset.train_images):
            return False
    return True


def _train_batches(dataset: Dataset, device: torch.device) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The train images as the network sees them, and their labels."""
    count = len(dataset.train_images)
    edges = sorted({*range(0, count, _BATCH), min(_FIRST_BATCH, count), count})
    for batch in starmap(slice, pairwise(edges)):
        images = torch.from_numpy(dataset.train_images[batch]).to(device)
        yield standardise(images, dataset.mean, dataset.std), torch.from_numpy(dataset.train_labels[batch]).to(device)
