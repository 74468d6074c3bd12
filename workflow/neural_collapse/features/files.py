"""Features of anyone's network, read from files of any common kind: memory-mapped where the format allows.

A file holds named arrays, or one array that the file's own name stands for (`epoch-3-features.npy`). What an array is
shows in its name: features (also feats, embeddings, activations, h, x), labels (targets, y), weight (w, fc.weight),
bias (b, fc.bias), epoch; `train` and `test` (or val) before or after, in the name of the array or of the file, tell the
splits apart. Whoever uses other names says which.
"""

from __future__ import annotations

import itertools
import json
import re
import struct
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import InputError, printable, shortened
from ..npz import read_npz_mapped

_NAMES = {
    "features": {"features", "feature", "feats", "embeddings", "embedding", "activations", "representations", "h", "x"},
    "labels": {"labels", "label", "targets", "target", "classes", "y"},
    "weight": {"weight", "weights", "w"},
    "bias": {"bias", "biases", "b"},
    "epoch": {"epoch", "epochs"},
}
_CLASSIFIERS = ("fc", "classifier", "head", "linear", "heads.head", "head.fc", "last_linear")
_NAMES["weight"] |= {f"{layer}.weight" for layer in _CLASSIFIERS}
_NAMES["bias"] |= {f"{layer}.bias" for layer in _CLASSIFIERS}
ROLES = tuple(role for role in _NAMES if role != "epoch")
_SPLITS = {"train": "train", "training": "train"} | dict.fromkeys(
    ("test", "val", "valid", "validation", "eval"), "test"
)
_SEPARATOR = r"[-_. /=]"
_EPOCH = re.compile(rf"(?:^|{_SEPARATOR})(?:epochs?|ep|e){_SEPARATOR}?0*(\d+)(?={_SEPARATOR}|$)", re.I)


class Split(NamedTuple):
    """Features (N, P), any real dtype, and labels (N,) int64, 0..C-1."""

    features: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True, eq=False)
class Dump:
    """The features of one network at one epoch, by split ("train", "test"), and its classifier where it is known."""

    name: str
    epoch: int
    splits: dict[str, Split]
    weight: np.ndarray | None
    bias: np.ndarray | None


def read_features(
    files: Iterable[str | Path],
    *,
    names: Mapping[str, str] | None = None,
    name: str | None = None,
) -> list[Dump]:
    """Read features from files, one `Dump` for each network and epoch among them, by name and epoch.

    Parameters
    ----------
    files: .npz, .npy, .safetensors, .pt, .pth (tensors alone), .csv, .parquet, .h5, .hdf5; or folders, whose files of
        these kinds are read. Files that hold no features (labels, a classifier) go with those of the same name, else
        of the same folder, else with all.
    names: what arrays (or the columns of labels) are called, for those of `features`, `labels`, `weight`, `bias` that
        have other names than those of this module.
    name: of the network; by default what is left of a file's name without epoch and split, or else its folder's.

    Raises
    ------
    InputError
        In one sentence: where a file is damaged, an array is missing, or two could be meant.
    """
    names = dict(names or {})
    parts = [part for file in _expanded(files) for part in _parts(file, names)]
    if absent := [f"{role} '{given}'" for role, given in names.items() if role not in {part.role for part in parts}]:
        raise InputError(f"no file holds an array named as the {' or the '.join(absent)}; look at their names again.")
    sources: dict[tuple[Path, str], dict[tuple[str, str], _Part]] = {}
    for part in parts:
        if part.role == "features":
            sources.setdefault((part.file.parent, part.rest), {})
    if not sources:
        found = ", ".join(str(part.file) for part in parts[:3]) or "the files"
        raise InputError(f"{found}: no features; an array must be named so, or be named by --features.")
    for part in parts:
        for source in _belongs_to(part, sources):
            held = source.setdefault((part.split, part.role), part)
            if held is not part:
                raise InputError(
                    f"{part.file}: '{part.name}' and '{held.name}' of {held.file} could both be the {part.role}; name "
                    f"the one that is meant by --{part.role}."
                )
    folders = {folder for folder, _ in sources}
    dumps = [_dump(folder, rest, source, name, len(folders) > 1) for (folder, rest), source in sources.items()]
    dumps.sort(key=lambda dump: (dump.name, dump.epoch))
    for first, second in itertools.pairwise(dumps):
        if (first.name, first.epoch) == (second.name, second.epoch):
            raise InputError(
                f"two files hold '{first.name}' at epoch {first.epoch}; put the epoch into their names "
                "(epoch-3.npz), or the networks into folders or files with names of their own."
            )
    return dumps


def class_labels(labels: Any, classes: int | None = None) -> np.ndarray:
    """Labels of any common kind as integers 0..C-1, (N,) int64; what is done to them is said on stderr.

    Parameters
    ----------
    labels: (N,) or (N, 1) of integers, booleans or whole floats; of strings, numbered in sorted order; or one-hot
        (N, C). Integers from 1 to C become 0 to C-1; without `classes`, so do any C distinct integers in rising order.
    classes: C, where a classifier gives it.

    Raises
    ------
    InputError
        For anything else.
    """
    labels = np.asarray(labels)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim == 2 and labels.dtype.kind in "fiub":
        rows = labels.astype(np.float64, copy=False)
        if not (((rows == 0) | (rows == 1)).all() and (rows.sum(1) == 1).all()):
            raise InputError(
                f"labels: have the shape {labels.shape}, but not a single 1 in every row; give class labels."
            )
        return labels.argmax(1).astype(np.int64)
    if labels.ndim != 1:
        raise InputError(f"labels: must have the shape (N,), (N, 1) or (N, C), found {labels.shape}.")
    if labels.dtype.kind in "OUST":
        if labels.dtype.kind == "O" and not all(isinstance(label, str | bytes) for label in labels):
            raise InputError("labels: a label is missing or is neither a number nor a text; every example needs one.")
        known, numbers = np.unique(labels.astype(str), return_inverse=True)
        _say(f"labels: the classes are {_some(known)} in this order, as rows of a classifier must be")
        return numbers.reshape(labels.shape).astype(np.int64)
    if labels.dtype.kind == "f":
        if not (np.isfinite(labels).all() and (labels == np.round(labels)).all()):
            raise InputError("labels: must be class labels, found numbers that are not whole.")
    elif labels.dtype.kind not in "iub":
        raise InputError(f"labels: must be whole numbers, texts or one-hot, found the type {labels.dtype}.")
    labels = labels.astype(np.int64)
    known = np.unique(labels)
    if classes is not None:
        if len(known) and known[0] == 1 and known[-1] == classes:
            _say(f"labels: 1 to {classes} are read as 0 to {classes - 1}")
            return labels - 1
    elif len(known) and (known[0] != 0 or known[-1] != len(known) - 1):
        _say(f"labels: {_some(known)} are read as 0 to {len(known) - 1}, in this order")
        return np.searchsorted(known, labels)
    return labels


class _Part(NamedTuple):
    """An array: what it is, of which split ("" where nothing says so), and the rest of its file's name."""

    file: Path
    rest: str
    split: str
    role: str
    name: str
    values: Any


def _expanded(files: Iterable[str | Path]) -> Iterator[Path]:
    for file in map(Path, files):
        if file.is_dir():
            inside = sorted(path for path in file.rglob("*") if path.suffix in _READERS and path.is_file())
            inside = [path for path in inside if not any(part.startswith(".") for part in path.relative_to(file).parts)]
            if not inside:
                raise InputError(f"{file}: this folder holds no file of features ({', '.join(_READERS)}).")
            yield from inside
        elif file.suffix not in _READERS:
            raise InputError(f"{file}: features are read from {', '.join(_READERS)}, or from a folder of these.")
        elif not file.is_file():
            raise InputError(f"{file}: there is no such file.")
        else:
            yield file


def _parts(file: Path, names: Mapping[str, str]) -> list[_Part]:
    """What of a file's arrays is known by its name; what isn't is said."""
    arrays = _read(file, names)
    roles = {given: role for role, given in names.items()}
    rest, split_of_file = _split(file.stem)
    if list(arrays) == [""]:  # a bare array: the file's name is its name
        role, rest = _role_at_the_end(rest)
        role = roles.get(file.stem) or (role if role not in names else "")
        return [_Part(file, rest, split_of_file, role, file.stem, arrays[""])] if role else _unread(file, [file.stem])
    parts, unread = [], []
    for name, values in arrays.items():
        plain, split = _split(name.replace("/", "."))
        role = roles.get(name) or roles.get(plain)
        if role is None:
            role = next((role for role, known in _NAMES.items() if plain.lower() in known and role not in names), "")
        if role:
            parts.append(_Part(file, rest, split or split_of_file, role, name, values))
        else:
            unread.append(name)
    return parts + _unread(file, unread)


def _unread(file: Path, names: Sequence[str]) -> list[_Part]:
    if names:
        _say(f"{file}: not read: {_some(names)}")
    return []


def _split(name: str) -> tuple[str, str]:
    """A name without the word that names its split, and the split; ("features", "test") for "test_features"."""
    words = re.split(f"({_SEPARATOR})", name)
    for place in (0, len(words) - 1):
        if split := _SPLITS.get(words[place].lower()):
            left = words[2:] if place == 0 else words[:-2]
            return "".join(left), split
    return name, ""


def _role_at_the_end(name: str) -> tuple[str, str]:
    """What a bare array is by the end (or the start) of its name, and what is left: ("labels", "epoch-3")."""
    for role, known in _NAMES.items():
        for word in sorted(known, key=len, reverse=True):
            if found := re.fullmatch(rf"(?:(.*){_SEPARATOR})?{re.escape(word)}", name, re.I):
                return role, found[1] or ""
            if found := re.fullmatch(rf"{re.escape(word)}{_SEPARATOR}(.*)", name, re.I):
                return role, found[1]
    return "", name


def _belongs_to(
    part: _Part, sources: dict[tuple[Path, str], dict[tuple[str, str], _Part]]
) -> list[dict[tuple[str, str], _Part]]:
    folder = part.file.parent
    if (folder, part.rest) in sources:
        return [sources[folder, part.rest]]
    return [source for (other, _), source in sources.items() if other == folder] or list(sources.values())


def _dump(
    folder: Path, rest: str, source: dict[tuple[str, str], _Part], name: str | None, several_folders: bool
) -> Dump:
    where = next(part.file for (_, role), part in source.items() if role == "features")
    splits = list(dict.fromkeys(split for split, role in source if role == "features"))
    if "" in splits and len(splits) > 1:
        # `features` beside `test_features` are those of training.
        if "train" in splits:
            raise InputError(f"{where}: of the features {', '.join(filter(None, splits))} and others, which are meant?")
        source = {(split or "train", role): part for (split, role), part in source.items()}
        splits = [split or "train" for split in splits]
    weight, bias = (_one(source, role, where) for role in ("weight", "bias"))
    classes = None if weight is None else len(weight)
    features, labels = [], []
    for split in splits:
        found = source.get((split, "labels")) or (source.get(("", "labels")) if len(splits) == 1 else None)
        if found is None and len(splits) == 1:
            found = next((part for (_, role), part in source.items() if role == "labels"), None)
        if found is None:
            of = f" of the {split} split" * bool(split)
            raise InputError(
                f"{where}: no labels{of}; collapse is about classes, so give the file that holds them, too, or name "
                "the array by --labels."
            )
        features.append(source[split, "features"].values)
        labels.append(np.asarray(_host(found.values)))
    numbered = _numbered_alike(labels, classes)
    both = {
        split or "train": Split(_host(values), truth)
        for split, values, truth in zip(splits, features, numbered, strict=True)
    }
    stated = _one(source, "epoch", where)
    found_name, epoch = _name_and_epoch(folder, rest, several_folders)
    if stated is not None and np.size(stated) == 1:
        epoch = int(np.asarray(stated).reshape(()))
    return Dump(name or found_name, epoch, both, weight, bias)


def _numbered_alike(labels: list[np.ndarray], classes: int | None) -> list[np.ndarray]:
    """The labels of all splits, numbered as one: a class has one number in both."""
    shapes = {values.shape[1:] for values in labels}
    together = class_labels(np.concatenate(labels), classes) if len(shapes) == 1 else None
    if together is None:
        raise InputError(f"labels: the splits have labels of different shapes, {_some(map(str, shapes))}.")
    return np.split(together, np.cumsum([len(values) for values in labels])[:-1])


def _one(source: dict[tuple[str, str], _Part], role: str, where: Path) -> np.ndarray | None:
    """The one array of a role that both splits share; None where there is none."""
    found = {id(part.values): part for (_, of), part in source.items() if of == role}
    if len(found) > 1:
        raise InputError(f"{where}: {_some(part.name for part in found.values())} could be the {role}; keep one.")
    return np.asarray(_host(next(iter(found.values())).values)) if found else None


def _name_and_epoch(folder: Path, rest: str, several_folders: bool) -> tuple[str, int]:
    """The network's name and the epoch, 0 where nothing says so, by the names of a file and of its folders."""
    epoch, names = None, []
    for word in (rest, *(part for part in reversed(folder.resolve().parts))):
        if epoch is None and (found := _EPOCH.search(word)):
            epoch, word = int(found[1]), word[: found.start()] + word[found.end() :]
        elif epoch is None and word.isdecimal():
            epoch, word = int(word), ""
        names.append(word.strip("-_. ="))
        if names[-1] and (epoch is not None or word == rest):
            break
    own = next((word for word in names if word), "network")
    if several_folders and own == names[0] and names[0]:
        # The same file in several folders: these tell the networks apart.
        own = f"{folder.name}-{own}" if folder.name else own
    return own, epoch or 0


# Files, a reader each: the file's arrays by name, "" where it holds one that has none.


def _read(file: Path, names: Mapping[str, str]) -> dict[str, Any]:
    try:
        return _READERS[file.suffix](file, names)
    except InputError:
        raise
    except ModuleNotFoundError as error:
        raise InputError(f"{file}: reading it needs the package {error.name}; `pip install {error.name}`.") from None
    except ImportError as error:  # of pandas, which words it so
        raise InputError(f"{file}: reading it needs a package that is not installed: {error}") from None
    except Exception as error:  # each format's reader raises its own, of what is damaged nearly anything
        reason = shortened(" ".join(str(error).split()) or type(error).__name__, 200)
        raise InputError(f"{file}: can't be read ({reason}); save it again.") from None


def _npz(file: Path, names: Mapping[str, str]) -> dict[str, Any]:
    return read_npz_mapped(file)


def _npy(file: Path, names: Mapping[str, str]) -> dict[str, Any]:
    return {"": np.load(file, mmap_mode="r", allow_pickle=False)}


def _safetensors(file: Path, names: Mapping[str, str]) -> dict[str, Any]:
    """Every tensor, mapped: safetensors' own reader for NumPy copies, and knows no bfloat16."""
    mapped = np.memmap(file, np.uint8, mode="r")
    (length,) = struct.unpack("<Q", mapped[:8].tobytes())
    header = json.loads(mapped[8 : 8 + length].tobytes())
    if "epochs" in header and any(name.startswith("train/moments") for name in header):
        raise InputError(f"{file}: the features of a run of a study; `measure-run` measures them.")
    arrays: dict[str, Any] = {}
    for name, about in header.items():
        if name == "__metadata__":
            continue
        first, last = (8 + length + place for place in about["data_offsets"])
        kind = about["dtype"]
        if kind != "BF16" and kind not in _SAFE_TYPES:
            raise InputError(f"{file}: {name} has the type {kind}; save it as float32.")
        raw = mapped[first:last].view(np.uint16 if kind == "BF16" else _SAFE_TYPES[kind]).reshape(about["shape"])
        # A bfloat16 is the upper half of a float32.
        arrays[name] = (raw.astype(np.uint32) << 16).view(np.float32) if kind == "BF16" else raw
    return arrays


_SAFE_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BOOL": "?", "I8": "i1", "U8": "u1"} | {
    f"{kind}{8 * size}": f"<{kind.lower()}{size}" for kind in "IU" for size in (2, 4, 8)
}


def _torch(file: Path, names: Mapping[str, str]) -> dict[str, Any]:
    import torch

    # Old files are pickles that can't be mapped; neither kind may run code.
    saved = torch.load(file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file))
    return _flat(saved)


def _flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    """The arrays of tables within tables by their names, joined by dots; what is no array is left out."""
    if isinstance(tree, Mapping):
        return {key: leaf for name, branch in tree.items() for key, leaf in _flat(branch, f"{prefix}.{name}").items()}
    if isinstance(tree, list | tuple) and tree and all(isinstance(item, str | int | float) for item in tree):
        tree = np.array(tree)
    is_array = hasattr(tree, "shape") or isinstance(tree, int)
    return {prefix.removeprefix(".").removeprefix("module."): tree} if is_array else {}


def _hdf5(file: Path, names: Mapping[str, str]) -> dict[str, Any]:
    import h5py

    arrays: dict[str, Any] = {}

    def keep(name: str, item: Any) -> None:
        if not isinstance(item, h5py.Dataset):
            return
        offset = item.id.get_offset()  # None where it lies in chunks
        if offset is not None and item.dtype.kind in "fiu" and item.size:
            arrays[name] = np.memmap(file, item.dtype, "r", offset, item.shape)
        elif h5py.check_string_dtype(item.dtype):
            arrays[name] = item.asstr()[()]
        else:
            arrays[name] = item[()]

    with h5py.File(file) as opened:
        opened.visititems(keep)
    return arrays


def _table(file: Path, names: Mapping[str, str]) -> dict[str, Any]:
    """One column of labels, one of splits where there is one called so, and every other column of numbers a feature."""
    import pandas as pd  # no other kind of file needs it

    table = pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_csv(file)
    labels = names.get("labels") or next((c for c in table if str(c).lower() in _NAMES["labels"] - {"classes"}), None)
    if labels is not None and labels not in table:
        raise InputError(f"{file}: no column is named '{labels}'; there are {_some(map(str, table.columns))}.")
    lists = [c for c in table if str(c).lower() in _NAMES["features"] and table[c].map(np.ndim).eq(1).all()]
    if lists:  # Parquet's columns may hold vectors
        features = np.stack(table[lists[0]].to_list())
    else:
        numbers = table.drop(columns=labels or []).select_dtypes("number")
        features = numbers.drop(
            columns=[c for c in numbers if str(c).lower() in ("epoch", "index", "id", "unnamed: 0")]
        )
        features = features.to_numpy()
    arrays: dict[str, Any] = {} if features.shape[-1] == 0 else {names.get("features", "features"): features}
    if labels is not None:
        arrays[labels] = table[labels].to_numpy()
    if "split" not in table:
        return arrays
    kinds = table["split"].map(lambda word: _SPLITS.get(str(word).lower()))
    if kinds.isna().any():
        raise InputError(f"{file}: the column split must say train or test (val), found {_some(set(table['split']))}.")
    of = {split: (kinds == split).to_numpy() for split in ("train", "test")}
    return {
        f"{split}.{name}": values[rows] for split, rows in of.items() if rows.any() for name, values in arrays.items()
    }


_READERS: dict[str, Callable[[Path, Mapping[str, str]], dict[str, Any]]] = {
    ".npz": _npz,
    ".npy": _npy,
    ".safetensors": _safetensors,
    ".pt": _torch,
    ".pth": _torch,
    ".csv": _table,
    ".parquet": _table,
    ".h5": _hdf5,
    ".hdf5": _hdf5,
}


def _host(values: Any) -> np.ndarray:
    """A tensor as the array that shares its memory."""
    if hasattr(values, "detach"):
        values = values.detach()
        values = values.float() if str(values.dtype) == "torch.bfloat16" else values
        return values.numpy()
    return np.asarray(values)


def _some(names: Iterable[object]) -> str:
    names = [str(name) for name in names]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _say(sentence: str) -> None:
    print(printable(sentence), file=sys.stderr)
