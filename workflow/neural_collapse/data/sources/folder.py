"""A user's own data: a folder of images, `train/<class>/<any name>` and `test/<class>/<any name>`.

The classes are the folders' names in sorted order. All images have one size, or are scaled to it. Where
every one is 8-bit grey they keep one channel; otherwise all are read as RGB, without transparency.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from ...errors import InputError
from ..preparation import RawDataset, files_by_class, own_path, resized

PADDING = 0
TRAIN_PER_CLASS = "all"
READS_PATH = True


def load(*, path: str | Path | None, root: str | Path | None, resize: int | None = None) -> RawDataset:
    """Read every image; with `resize`, scale each, whatever its size (`preparation.resized`).

    Raises
    ------
    InputError
        Where a folder is missing or a file is not an image like the others.
    """
    if path is None:
        raise InputError("source 'folder': `path`, the folder of your images, is missing; name one.")
    folder = own_path(path)
    train, test = _files_of(folder / "train"), _files_of(folder / "test")
    for name in sorted(train.keys() ^ test.keys()):
        raise InputError(f"{folder}: the class '{name}' is in only one of train and test; both need every class.")
    files = [file for split in (train, test) for members in split.values() for file in members]
    mode, size = _common_format(files, resize)
    (train_images, train_labels), (test_images, test_labels) = (_read(split, mode, size) for split in (train, test))
    return RawDataset(train_images, train_labels, test_images, test_labels, tuple(train))


def _files_of(directory: Path) -> dict[str, list[Path]]:
    if not directory.is_dir():
        raise InputError(f"{directory}: there is no such folder; it must hold a folder of images for each class.")
    files = files_by_class(directory)
    if not all([files, *files.values()]):
        raise InputError(f"{directory}: it must hold a folder for each class, with at least one image in each.")
    return files


def _common_format(files: list[Path], resize: int | None) -> tuple[str, tuple[int, int]]:
    """The mode ("L" or "RGB") and the size (width, height) of all images, from their headers alone, or once resized."""
    sizes: dict[tuple[int, int], Path] = {}
    modes: set[str] = set()
    for file in files:
        with _opened(file) as image:
            if image.mode.startswith(("I", "F")) or _is_deep(image):
                raise InputError(f"{file}: its pixels have more than 8 bits; save it as 8-bit grey or RGB.")
            sizes.setdefault(image.size, file)
            modes.add(image.mode)
    if resize is not None:
        sizes = {(resize, resize): files[0]}
    if len(sizes) > 1:
        described = " and ".join(f"{file} ({size[0]}x{size[1]})" for size, file in list(sizes.items())[:2])
        raise InputError(f"all images must have one size, but {described} differ; set `resize`, or crop them.")
    return "L" if modes == {"L"} else "RGB", next(iter(sizes))


def _read(split: dict[str, list[Path]], mode: str, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    files = [file for members in split.values() for file in members]
    labels = np.repeat(np.arange(len(split)), [len(members) for members in split.values()])
    images = np.empty((len(files), size[1], size[0], len(mode)), dtype=np.uint8)
    for index, file in enumerate(files):
        with _opened(file) as image:
            pixels = np.asarray(image.convert(mode)).reshape(*image.size[::-1], len(mode))
            if image.size != size:
                pixels = resized(pixels.transpose(2, 0, 1)[None], size[0])[0].transpose(1, 2, 0)
            images[index] = pixels
    return images.transpose(0, 3, 1, 2), labels


def _is_deep(image: Image.Image) -> bool:
    """Whether Pillow would cut 16-bit pixels to the 8 bits of the image's mode."""
    for tile in image.tile:  # type: ignore[attr-defined]
        rawmode, *more = tile.args if isinstance(tile.args, tuple) else (tile.args,)
        if ";16" in str(rawmode) or (tile.codec_name == "ppm" and more and more[0] > 255):
            return True
    return False


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[Image.Image]:
    try:
        if not file.is_file():
            raise InputError(f"{file}: this is no file; a class's folder holds nothing but images.")
        with Image.open(file) as image:
            yield image
    except InputError:
        raise
    except Exception as error:  # Pillow raises nearly anything, by format: struct.error, SyntaxError, a bomb's own
        reason = str(error) or type(error).__name__
        raise InputError(f"{file}: not a whole image ({reason}); mend it or take it out.") from None
