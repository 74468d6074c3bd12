"""How large published data are once prepared, and whether a network and its batches fit them."""

from dataclasses import dataclass
from typing import Any

from ..errors import InputError
from .declarations import family_and_depth, literals
from .imbalance import class_counts


@dataclass(frozen=True)
class DataSize:
    """The size of a prepared data set: of its images, and the number of classes and of examples."""

    channels: int
    image_size: int
    classes: int
    train: int
    test: int


def published_size(settings: dict[str, Any], where: str) -> DataSize | None:
    """The size that published data have once prepared with a data set's `settings`; None of a user's own.

    Raises
    ------
    InputError
        One sentence that begins with `where`, for more examples than were published.
    """
    published = literals(f"data.sources.{settings['source']}").get("PUBLISHED")
    if published is None:
        return None
    classes, train, test = published["classes"], published["train"], published["test"]
    if left_out := settings["left_out_classes"]:
        if max(left_out) >= classes or classes - len(left_out) < 2:
            raise InputError(
                f"{where}.left_out_classes: {left_out} must be numbers from 0 to {classes - 1}, and leave two classes."
            )
        # About, where classes differ: how many examples each has is not published.
        train, test = (count and count - count * len(left_out) // classes for count in (train, test))
        classes -= len(left_out)
    pool = train
    if settings["train_per_class"] != "all":
        if classes * settings["train_per_class"] > train:
            raise InputError(
                f"{where}.train_per_class: there are no {settings['train_per_class']} examples of each class; all are "
                f"{train} of {classes} classes."
            )
        train = classes * settings["train_per_class"]
    test = pool - train if test is None else test
    if test == 0:
        raise InputError(f"{where}.train_per_class: write a smaller number, so that examples are left for testing.")
    if isinstance(settings["test_per_class"], int):
        if classes * settings["test_per_class"] > test:
            raise InputError(
                f"{where}.test_per_class: there are no {settings['test_per_class']} test examples of each class; all "
                f"are {test} of {classes} classes."
            )
        test = classes * settings["test_per_class"]
    if settings["imbalance"] is not None:
        train = sum(_imbalanced_counts(settings, classes, where))
    image_size = (settings["resize"] or published["image_size"]) + 2 * settings["padding"]
    return DataSize(published["channels"], image_size, classes, train, test)


def _imbalanced_counts(settings: dict[str, Any], classes: int, where: str) -> list[int]:
    largest, ratio = settings["train_per_class"], settings["imbalance"]
    counts = class_counts(classes, largest, ratio, settings["imbalance_profile"])
    if not counts[-1]:
        raise InputError(f"{where}.imbalance: {ratio} of {largest} train examples leaves the last class without any.")
    return counts


def check_fit(where: str, network: str, batch_size: int, size: DataSize) -> None:
    """Raise InputError, one sentence that begins with `where`, where a network or its batches are too large."""
    if batch_size > size.train:
        raise InputError(f"{where}.batch_size: {batch_size} is more than the {size.train} train images.")
    module, depth = family_and_depth(network)
    smallest = literals(f"train.networks.{module}").get("SMALLEST_IMAGE", {}).get(depth, 1)
    if size.image_size < smallest:
        raise InputError(
            f"{where}: {network} needs images of at least {smallest} pixels a side, but they have {size.image_size}; "
            "set `resize` or `padding` of the data set."
        )
