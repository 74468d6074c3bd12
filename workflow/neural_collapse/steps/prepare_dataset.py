"""Prepare a data set: sub-sample, pad, take each channel's mean and standard deviation."""

import argparse
import hashlib
import os
from pathlib import Path

import numpy as np

from ..data.dataset import Dataset, write_dataset
from ..data.own_files import last_touched
from ..data.preparation import content_digest, load, own_path, prepare
from ..errors import InputError
from ..locks import exclusive
from ..storage import read_json, whole_file, write_json
from ._options import setting


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--source", required=True, help="where the images come from, such as digits, mnist or arrays")
    parser.add_argument("--path", help="your own data: the .npz file (arrays) or the folder of images (folder)")
    parser.add_argument(
        "--root",
        default=os.environ.get("NEURAL_COLLAPSE_DATA", "datasets"),
        help="where torchvision's data sets are, or are downloaded to",
    )
    parser.add_argument(
        "--train-per-class",
        required=True,
        type=setting("dataset", "train_per_class"),
        metavar="N|all",
        help="train examples to keep a class",
    )
    parser.add_argument(
        "--test-per-class",
        default="all",
        type=setting("dataset", "test_per_class"),
        metavar="N|all",
        help="test examples to keep a class",
    )
    parser.add_argument("--resize", type=setting("dataset", "resize"), metavar="N", help="pixels a side to scale to")
    parser.add_argument(
        "--padding", required=True, type=setting("dataset", "padding"), help="pixels of zeros around every image"
    )
    parser.add_argument(
        "--left-out-classes",
        nargs="+",
        type=int,
        default=[],
        metavar="CLASS",
        help="numbers of the classes to take out",
    )
    parser.add_argument(
        "--imbalance",
        type=setting("dataset", "imbalance"),
        metavar="RATIO",
        help="of the train examples of the first class to those of the last",
    )
    parser.add_argument(
        "--imbalance-profile",
        type=setting("dataset", "imbalance_profile"),
        default="long_tailed",
        metavar="long_tailed|step",
        help="how the classes' train examples fall (default: %(default)s)",
    )
    parser.add_argument(
        "--label-noise",
        type=setting("dataset", "label_noise"),
        metavar="SHARE",
        help="of the train labels, to be replaced by other classes",
    )
    parser.add_argument("--seed", required=True, type=setting("seed"), help="decides which train examples are kept")
    parser.add_argument(
        "--name", required=True, type=setting("name"), help="the data set's name in every table and figure"
    )
    parser.add_argument("--output", required=True, help="the file to write, .safetensors")
    card = parser.add_mutually_exclusive_group()
    card.add_argument("--card", help="the summary to write, .json: sizes, statistics and checksum")
    card.add_argument("--expect", metavar="CARD", help="the summary of the data set that this must become again")
    parser.add_argument("--origin", help="the file to write, .json, that names the content of your own data")
    parser.add_argument("--content", metavar="SHA256", help="what your own data must hold, or nothing is written")


def run(options: argparse.Namespace) -> None:
    if options.expect is None:
        _prepare(options)
        return
    with exclusive(options.expect, wait=True):  # several jobs may find the images absent at once
        if not Path(options.output).exists():
            _prepare(options)


def _prepare(options: argparse.Namespace) -> None:
    touched = last_touched(own_path(options.path)) if options.path else None
    raw = load(options.source, path=options.path, root=options.root, resize=options.resize)
    dataset = prepare(
        raw,
        name=options.name,
        train_per_class=options.train_per_class,
        test_per_class=options.test_per_class,
        resize=options.resize,
        padding=options.padding,
        seed=options.seed,
        left_out_classes=options.left_out_classes,
        imbalance=options.imbalance,
        imbalance_profile=options.imbalance_profile,
        label_noise=options.label_noise,
    )
    with whole_file(options.output) as temporary:
        write_dataset(temporary, dataset)
        card = _card(dataset, temporary)
        if options.expect and read_json(options.expect, "a data set's card") != card:
            raise InputError(
                f"{options.output}: the images made here are not those of {options.expect}; fetch them with `dvc pull` "
                "or delete that file to make everything that depends on them anew."
            )
        own = content_digest(options.path) if options.path else None
        if options.content not in (None, own) or (options.path and last_touched(own_path(options.path)) != touched):
            raise InputError(f"{options.path}: was changed after this was planned; repeat the command.")
    if options.card:
        write_json(options.card, card)
    if options.origin:
        write_json(options.origin, {"sha256": own})
    size = "x".join(str(length) for length in dataset.train_images.shape[1:])
    print(
        f"{dataset.name}: {len(dataset.train_labels)} train and {len(dataset.test_labels)} test images of {size}, "
        f"{len(dataset.class_names)} classes"
    )


def _card(dataset: Dataset, path: Path) -> dict[str, object]:
    with open(path, "rb") as file:
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "name": dataset.name,
        "classes": list(dataset.class_names),
        "image": list(dataset.train_images.shape[1:]),
        "train_per_class": np.bincount(dataset.train_labels).tolist(),
        "test_per_class": np.bincount(dataset.test_labels).tolist(),
        "mean": dataset.mean.tolist(),
        "std": dataset.std.tolist(),
        "sha256": checksum,
    }
