"""Reduce what a run's networks make of all images to moments, from which every measure follows."""

import argparse
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from ..data.dataset import read_dataset
from ..device import prepare_device
from ..errors import InputError
from ..features.extraction import take_snapshots
from ..features.moments import Snapshot, write_snapshots
from ..train.checkpoints import load_network
from ._options import key_value, setting
from ._stopping import stop_argument, stop_requests


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", required=True, type=Path, help="the prepared data set")
    parser.add_argument("--checkpoints", required=True, nargs="+", type=Path, help="the networks of one run, by epoch")
    parser.add_argument("--loss", required=True, help="the loss they were trained on")
    parser.add_argument(
        "--loss-options", nargs="*", default=[], type=key_value, metavar="KEY=VALUE", help="such as target_value=10"
    )
    parser.add_argument(
        "--seed", required=True, type=setting("seed"), help="the run's seed, which chooses the examples to sample"
    )
    parser.add_argument("--threads", required=True, type=setting("training", "threads"), help="CPU threads")
    parser.add_argument("--layers", action="store_true", help="reduce the inner layers, too")
    parser.add_argument(
        "--batch-statistics",
        type=int,
        metavar="N",
        help="reduce the train split also as batch norm in train mode makes it, in batches of N images",
    )
    parser.add_argument("--output", required=True, type=Path, help="the moments at each epoch (safetensors)")
    stop_argument(parser)


def run(options: argparse.Namespace) -> None:
    if options.batch_statistics is not None and options.batch_statistics < 2:
        raise InputError(f"--batch-statistics: must be at least 2 images, found {options.batch_statistics}.")
    with stop_requests(options.stop_with_parent) as check:
        epochs, snapshots = _take_all_snapshots(options, check)
        check()  # a newer extraction may have written the output since
        write_snapshots(options.output, epochs, snapshots)


def _take_all_snapshots(
    options: argparse.Namespace, check: Callable[[], None]
) -> tuple[list[int], dict[str, list[Snapshot]]]:
    device = prepare_device("float32", options.threads)
    dataset = read_dataset(options.data)
    loss_options = dict(options.loss_options)
    epochs: list[int] = []
    snapshots: dict[str, list[Snapshot]] = {"train": [], "test": []}
    for path in tqdm(options.checkpoints, desc="features", unit="epoch", disable=None):
        check()
        network, epoch = load_network(path, dataset)
        epochs.append(epoch)
        taken = take_snapshots(
            network,
            dataset,
            options.loss,
            loss_options,
            seed=options.seed,
            layers=options.layers,
            batch_statistics=options.batch_statistics,
            device=device,
        )
        for split, snapshot in taken.items():
            snapshots[split].append(snapshot)
        errors = ", ".join(f"{split} error {snapshot.examples['error']:.2%}" for split, snapshot in taken.items())
        print(f"epoch {epoch}: {errors}", flush=True)
    return epochs, snapshots
