"""Pass images of other data through a run's networks, and keep all of them that scores need."""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ..config.names import LEFT_OUT
from ..data.dataset import Dataset, read_dataset
from ..device import prepare_device
from ..errors import InputError
from ..features.extraction import look_outside
from ..features.out_of_distribution import Outlook, write_outlooks
from ..train.checkpoints import load_network
from ._options import key_value, setting
from ._stopping import stop_argument, stop_requests


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", required=True, type=Path, help="the prepared data set that they were trained on")
    parser.add_argument("--checkpoints", required=True, nargs="+", type=Path, help="the networks of one run, by epoch")
    parser.add_argument(
        "--outside",
        required=True,
        nargs="+",
        type=key_value,
        metavar="NAME=FILE",
        help=f"prepared data sets whose test images are passed; of `{LEFT_OUT}`, all of classes that --data has not",
    )
    parser.add_argument("--threads", required=True, type=setting("training", "threads"), help="CPU threads")
    parser.add_argument("--output", required=True, type=Path, help="every example at each epoch (safetensors)")
    stop_argument(parser)


def run(options: argparse.Namespace) -> None:
    with stop_requests(options.stop_with_parent) as check:
        epochs, outlooks = _look(options, check)
        check()  # a newer extraction may have written the output since
        write_outlooks(options.output, epochs, outlooks)


def _look(options: argparse.Namespace, check: Callable[[], None]) -> tuple[list[int], list[Outlook]]:
    device = prepare_device("float32", options.threads)
    dataset = read_dataset(options.data)
    outside = {name: _images(name, str(path), dataset) for name, path in options.outside}
    epochs, outlooks = [], []
    for path in tqdm(options.checkpoints, desc="out of distribution", unit="epoch", disable=None):
        check()
        network, epoch = load_network(path, dataset)
        epochs.append(epoch)
        outlooks.append(look_outside(network, dataset, outside, device=device))
        print(f"epoch {epoch}: passed {', '.join(f'{len(images)} of {name}' for name, images in outside.items())}")
    return epochs, outlooks


def _images(name: str, path: str, own: Dataset) -> np.ndarray:
    """What is passed of a data set: its test images; for classes left out, all images of a class that `own` has not."""
    if name in ("train", "test"):
        raise InputError(f"--outside: '{name}' is of the run's own data; give the data set another name.")
    other = read_dataset(path)
    images = other.test_images
    if name == LEFT_OUT:
        splits = ((other.train_images, other.train_labels), (other.test_images, other.test_labels))
        left_out = [place for place, class_ in enumerate(other.class_names) if class_ not in own.class_names]
        images = np.concatenate([images[np.isin(labels, left_out)] for images, labels in splits])
        if not len(images):
            raise InputError(f"{path}: no class of it is left out of '{own.name}'; prepare one without a class.")
    found, seen = (f"{of.dtype} {'x'.join(map(str, of.shape[1:]))}" for of in (images, own.test_images))
    if found != seen:
        raise InputError(
            f"{path}: the images of '{name}' are {found}, but the networks of '{own.name}' see {seen}; set `resize` or "
            f"`padding` of {name}."
        )
    return images
