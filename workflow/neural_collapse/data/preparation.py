"""From a source's images to a prepared data set: checks, balanced sub-sampling, padding, statistics.

A source is a module of `sources/`. It holds `load(*, path, root)`, which gives a RawDataset (`path`: where the user's
own data is; `root`: the folder of torchvision's data sets), and the literals PADDING and TRAIN_PER_CLASS: what a study
uses unless its configuration says otherwise.
"""

import dataclasses
import hashlib
import importlib
import inspect
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ..config.declarations import modules
from ..config.imbalance import class_counts
from ..errors import InputError
from .dataset import Dataset


@dataclass(frozen=True, eq=False)
class RawDataset:
    """A source's examples as published: images uint8 (N, C, H, W), square; labels integers (N,) in 0..C-1.

    Features that are no image are float32 (N, P, 1, 1), P channels of one pixel.
    Without test examples (None) the source is one pool, and whatever sub-sampling does not take for training is the
    test set.
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray | None
    test_labels: np.ndarray | None
    class_names: tuple[str, ...]


def load(
    source: str, *, path: str | Path | None = None, root: str | Path | None = None, resize: int | None = None
) -> RawDataset:
    """Read the source named `source`; where its images may differ in size, with `resize` scaled to one (`resized`).

    Raises
    ------
    InputError
        Where there is none or its files are not as they must be.
    """
    if source not in modules("data.sources"):
        raise InputError(f"no source of data is named '{source}'; known: {', '.join(modules('data.sources'))}.")
    read = importlib.import_module(f".sources.{source}", __package__).load
    scales = {"resize": resize} if "resize" in inspect.signature(read).parameters else {}
    return read(path=path, root=root, **scales)


def own_path(path: str | Path) -> Path:
    """Where a user's own data are, `~` resolved.

    Raises
    ------
    InputError
        For what can be neither a file nor a folder.
    """
    try:
        path = Path(path).expanduser()
        special = path.exists() and not path.is_file() and not path.is_dir()
    except (OSError, RuntimeError, ValueError) as error:  # no such user; too long a name; a NUL in it
        raise InputError(f"{path}: can't be a path ({error}).") from None
    if special:
        raise InputError(f"{path}: this is neither a file nor a folder.")
    return path


def files_by_class(directory: Path) -> dict[str, list[Path]]:
    """The files that the source `folder` reads of one split: those in each class's folder, but hidden ones."""
    return {entry.name: _visible(entry) for entry in _visible(directory) if entry.is_dir()}


def _visible(directory: Path) -> list[Path]:
    entries = directory.iterdir() if directory.is_dir() else ()
    return sorted(entry for entry in entries if not entry.name.startswith("."))


def content_digest(path: str | Path) -> str:
    """The SHA-256 of a file, or of the names and contents of the files that the source `folder` reads there."""
    path, digest = own_path(path), hashlib.sha256()
    splits = [files_by_class(path / split) for split in ("train", "test")]
    images = [file for split in splits for members in split.values() for file in members if file.is_file()]
    for file in images if path.is_dir() else [path]:
        with open(file, "rb") as content:
            name = "" if file == path else file.relative_to(path).as_posix()
            line = f"{name} {hashlib.file_digest(content, 'sha256').hexdigest()}\n"
            digest.update(line.encode(errors="surrogateescape"))  # a name need not be UTF-8
    return digest.hexdigest()


def prepare(
    raw: RawDataset,
    *,
    name: str,
    train_per_class: int | Literal["all"],
    test_per_class: int | Literal["all"] = "all",
    resize: int | None = None,
    padding: int,
    seed: int,
    left_out_classes: Collection[int] = (),
    imbalance: float | None = None,
    imbalance_profile: str = "long_tailed",
    label_noise: float | None = None,
) -> Dataset:
    """Prepare a data set as the paper does (HPD, appendix A.1).

    Parameters
    ----------
    raw: the examples as published.
    name: what the configuration calls the data set; errors name it.
    train_per_class: how many train examples of each class to keep, or "all" to leave the train set as it is.
    test_per_class: the same of the test set, which the paper leaves whole.
    resize: pixels a side to scale every image to, before anything else (`resized`); None leaves them.
    padding: pixels of zeros around every image, put there before the statistics are taken.
    seed: decides which examples are kept, and which labels are replaced; the same seed gives the same bytes.
    left_out_classes: numbers of the classes that are taken out before anything else; the others are numbered anew.
    imbalance, imbalance_profile: the ratio of the largest class to the smallest in the train set, the largest having
        `train_per_class` examples, and how it falls in between (`config.imbalance.class_counts`). A larger ratio keeps
        a part of the examples that a smaller one keeps, and the test set is that of balanced classes.
    label_noise: the share of train examples whose label is replaced by another class, all of them as likely. More
        noise replaces the same labels by the same, and others.

    Raises
    ------
    InputError
        Where the examples are not as RawDataset says, a class has too few of them, or nothing is left to
        test on.
    """
    if resize is not None:
        raw = dataclasses.replace(
            raw,
            train_images=_resized(raw.train_images, resize),
            test_images=None if raw.test_images is None else _resized(raw.test_images, resize),
        )
    if raw.train_images.dtype == np.float32 and (resize or padding):
        raise InputError(
            f"data set '{name}': features are no images, which `resize` and `padding` are for; take them out."
        )
    classes = len(raw.class_names)
    if classes < 2:
        raise InputError(f"data set '{name}': there must be at least two classes, but there is {classes}.")
    _check("train", raw.train_images, raw.train_labels, name, raw.class_names)
    if left_out_classes:
        raw = _without_classes(raw, left_out_classes, name)
        classes = len(raw.class_names)
    chosen = _sample("train", raw.train_labels, train_per_class, name, raw.class_names, seed)
    test_images, test_labels = raw.test_images, raw.test_labels
    if test_images is None or test_labels is None:
        left = np.setdiff1d(np.arange(len(raw.train_labels)), chosen)
        if not len(left):
            raise InputError(
                f"data set '{name}': nothing is left for testing; train_per_class must be a smaller number, because "
                "this source has no test set of its own."
            )
        test_images, test_labels = raw.train_images[left], raw.train_labels[left]
    _check("test", test_images, test_labels, name, raw.class_names)
    if test_images.shape[1:] != raw.train_images.shape[1:]:
        raise InputError(
            f"data set '{name}': test images are {_size(test_images)}, but train images are {_size(raw.train_images)}; "
            "all must have one size."
        )
    tested = _sample("test", test_labels, test_per_class, name, raw.class_names, seed)
    if imbalance is not None:
        chosen = _imbalanced_sample(raw, train_per_class, imbalance, imbalance_profile, name, seed)
    train_images = _pad(raw.train_images[chosen], padding)
    mean, std = channel_statistics(train_images)
    if not std.all():
        raise InputError(
            f"data set '{name}': channel {std.argmin()} has one value in all train images and can't be standardised; "
            "leave it out."
        )
    train_labels = true_labels = raw.train_labels[chosen].astype(np.int64)
    if label_noise:
        train_labels = noisy_labels(true_labels, classes, label_noise, seed)
        replaced, count = int((train_labels != true_labels).sum()), len(true_labels)
        if not 0 < replaced < count:
            raise InputError(
                f"data set '{name}': label_noise, {label_noise}, replaces {replaced} of {count} train labels; "
                "some must be wrong, and some right."
            )
        _check("noisy train", train_images, train_labels, name, raw.class_names)
    return Dataset(
        name=name,
        train_images=train_images,
        train_labels=train_labels,
        test_images=_pad(test_images[tested], padding),
        test_labels=test_labels[tested].astype(np.int64),
        class_names=raw.class_names,
        mean=mean,
        std=std,
        true_train_labels=true_labels if label_noise else None,
    )


def resized(images: np.ndarray, size: int) -> np.ndarray:
    """The middle square of images, uint8 (N, C, H, W), scaled to (N, C, size, size) by a triangle filter, as bilinear.

    The filter is as wide as what becomes one pixel, so that a smaller image has no aliases.
    """
    side = min(images.shape[2:])
    top, left = ((length - side) // 2 for length in images.shape[2:])
    if side == size or not side:
        return images[:, :, top : top + side, left : left + side]
    scale = side / size
    centres = (np.arange(size) + 0.5) * scale
    away = np.abs(np.arange(side) + 0.5 - centres[:, None]) / max(scale, 1)
    weights = np.maximum(1 - away, 0)
    weights /= weights.sum(1, keepdims=True)
    small = np.empty((*images.shape[:2], size, size), dtype=np.uint8)
    for index, image in enumerate(images[:, :, top : top + side, left : left + side]):
        small[index] = np.rint(weights @ image @ weights.T)
    return small


def _resized(images: np.ndarray, size: int) -> np.ndarray:
    """Images, scaled; what are none are left to be refused."""
    return resized(images, size) if images.ndim == 4 and images.dtype == np.uint8 else images


def balanced_sample(labels: np.ndarray, per_class: int, seed: int) -> np.ndarray:
    """Choose `per_class` examples of every class, without replacement; int64 indices in the order of the data.

    Every class draws from a stream of its own, and a smaller sample of the same seed is a part of a larger one.
    """
    return sample_of_counts(labels, [per_class] * (labels.max() + 1), seed)


def sample_of_counts(labels: np.ndarray, counts: Sequence[int], seed: int) -> np.ndarray:
    """As `balanced_sample`, with a number of examples for each class."""
    streams = np.random.SeedSequence(seed).spawn(len(counts))
    chosen = [
        np.random.default_rng(stream).permutation(np.flatnonzero(labels == label))[:count]
        for label, (stream, count) in enumerate(zip(streams, counts, strict=True))
    ]
    return np.sort(np.concatenate(chosen))


def noisy_labels(labels: np.ndarray, classes: int, share: float, seed: int) -> np.ndarray:
    """Labels, int64 (N,), of which `share`, rounded to whole examples, are replaced by another class, all as likely."""
    order, others = (np.random.default_rng(stream) for stream in np.random.SeedSequence([seed, 1]).spawn(2))
    replaced = order.permutation(len(labels))[: round(share * len(labels))]
    shifts = others.integers(1, classes, len(labels))
    noisy = labels.copy()
    noisy[replaced] = (labels[replaced] + shifts[replaced]) % classes
    return noisy


def channel_statistics(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each channel's mean and population standard deviation over all pixels, in units where 255 is 1.

    Parameters
    ----------
    images: uint8 (N, C, H, W), or features float32 (N, P, 1, 1), whose statistics are given in the same units.

    Returns
    -------
    float64 (C,) twice. Of images, sums are whole numbers, so only the last division and root round.
    """
    if images.dtype == np.float32:  # features
        features = images[:, :, 0, 0].astype(np.float64) / 255
        return features.mean(0), features.std(0)
    counts = np.zeros((images.shape[1], 256), dtype=np.int64)
    # Counting turns every pixel into eight bytes, so count a part of the images at a time.
    for start in range(0, len(images), 1024):
        for channel, pixels in enumerate(images[start : start + 1024].swapaxes(0, 1)):
            counts[channel] += np.bincount(pixels.ravel(), minlength=256)
    values = np.arange(256)
    pixels = int(counts[0].sum())
    sums, squares = (counts @ values).tolist(), (counts @ values**2).tolist()
    mean = [total / (255 * pixels) for total in sums]
    std = [math.sqrt(pixels * square - total**2) / (255 * pixels) for total, square in zip(sums, squares, strict=True)]
    return np.array(mean), np.array(std)


def _check(split: str, images: np.ndarray, labels: np.ndarray, name: str, class_names: tuple[str, ...]) -> None:
    """Raise InputError unless one split is what RawDataset promises, with every class in it."""
    where = f"data set '{name}': {split}"
    if images.dtype != np.uint8 and not (images.dtype == np.float32 and images.shape[2:] == (1, 1)):
        raise InputError(f"{where} images are {images.dtype}, but must be uint8 with values 0 to 255.")
    if images.dtype == np.float32 and not np.isfinite(images).all():
        raise InputError(f"{where} features: all numbers must be finite (and fit float32).")
    if images.ndim != 4 or images.shape[2] != images.shape[3] or 0 in images.shape[1:]:
        raise InputError(f"{where} images have the shape {images.shape}, but must be square: (N, C, H, H), H > 0.")
    if labels.shape != (len(images),):
        raise InputError(f"{where} labels have the shape {labels.shape}, but there are {len(images)} images.")
    if not np.issubdtype(labels.dtype, np.integer):
        raise InputError(f"{where} labels are {labels.dtype}, but must be whole numbers.")
    present = set(np.unique(labels).tolist())
    expected = set(range(len(class_names)))
    if wrong := present - expected:
        raise InputError(
            f"{where} labels must be 0 to {len(class_names) - 1} for the {len(class_names)} classes, but "
            f"{min(wrong)} is among them."
        )
    if absent := expected - present:
        raise InputError(f"{where} set has no example of class {min(absent)} ('{class_names[min(absent)]}').")


def _sample(
    split: str, labels: np.ndarray, per_class: int | Literal["all"], name: str, class_names: tuple[str, ...], seed: int
) -> np.ndarray:
    """The places of the examples that are kept of a split."""
    if per_class == "all":
        return np.arange(len(labels))
    counts = np.bincount(labels)
    rarest = int(counts.argmin())
    if counts[rarest] < per_class:
        raise InputError(
            f"data set '{name}': {split}_per_class is {per_class}, but class {rarest} ('{class_names[rarest]}') has "
            f"only {counts[rarest]} {split} examples."
        )
    return balanced_sample(labels, per_class, seed)


def _without_classes(raw: RawDataset, left_out: Collection[int], name: str) -> RawDataset:
    classes = range(len(raw.class_names))
    kept = [label for label in classes if label not in left_out]
    if set(left_out) - set(classes) or len(kept) < 2:
        found = ", ".join(map(str, left_out))
        raise InputError(
            f"data set '{name}': left_out_classes, {found}, must be numbers from 0 to {classes[-1]}, and leave two "
            "classes."
        )
    train = np.isin(raw.train_labels, kept)
    number = np.full(len(raw.class_names), -1)
    number[kept] = np.arange(len(kept))
    without = dataclasses.replace(
        raw,
        train_images=raw.train_images[train],
        train_labels=number[raw.train_labels[train]],
        class_names=tuple(raw.class_names[label] for label in kept),
    )
    if raw.test_images is None or raw.test_labels is None:
        return without
    _check("test", raw.test_images, raw.test_labels, name, raw.class_names)
    test = np.isin(raw.test_labels, kept)
    return dataclasses.replace(without, test_images=raw.test_images[test], test_labels=number[raw.test_labels[test]])


def _imbalanced_sample(
    raw: RawDataset, largest: int | Literal["all"], ratio: float, profile: str, name: str, seed: int
) -> np.ndarray:
    """The places of the examples that are kept of the train split; of each class, some of a balanced sample's."""
    if largest == "all":
        raise InputError(f"data set '{name}': imbalance needs a number as train_per_class, that of the largest class.")
    counts = class_counts(len(raw.class_names), largest, ratio, profile)
    if not counts[-1]:
        raise InputError(
            f"data set '{name}': imbalance {ratio} of {largest} train examples leaves the last class without any."
        )
    return sample_of_counts(raw.train_labels, counts, seed)


def _size(images: np.ndarray) -> str:
    """The size of one image, such as 3x32x32."""
    return "x".join(str(length) for length in images.shape[1:])


def _pad(images: np.ndarray, padding: int) -> np.ndarray:
    return np.pad(images, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
