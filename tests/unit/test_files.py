"""Anyone's features in files of every kind, and what is made of their names and labels."""

import json

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from cases import CASES
from safetensors.numpy import save_file

import neural_collapse
from neural_collapse.__main__ import main
from neural_collapse.errors import InputError
from neural_collapse.features.files import class_labels, read_features
from neural_collapse.features.moments import class_moments, example_measures
from neural_collapse.metrics.files import measure_files
from neural_collapse.metrics.measures import collapse_measures
from neural_collapse.metrics.tables import read_own_tables

CASE = CASES["imbalanced"]
ARRAYS = {"features": CASE.features, "labels": CASE.labels, "weight": CASE.weight, "bias": CASE.bias}
TENSORS = {name: torch.from_numpy(array) for name, array in ARRAYS.items()}


def as_tree(path):
    torch.save(
        {"train": {k: TENSORS[k] for k in ("features", "labels")}, "fc": {k: TENSORS[k] for k in ("weight", "bias")}},
        path,
    )


def as_hdf5(path, **options):
    with h5py.File(path, "w") as file:
        for name, array in ARRAYS.items():
            file.create_dataset(name, data=array, **options)


def as_folder(path):
    path.mkdir()
    for name, array in ARRAYS.items():
        np.save(path / f"{name}.npy", array)


WRITERS = {
    "a.npz": lambda path: np.savez(path, **ARRAYS),
    "compressed.npz": lambda path: np.savez_compressed(path, **ARRAYS),
    "fortran.npz": lambda path: np.savez(path, **ARRAYS | {"features": np.asfortranarray(CASE.features)}),
    "folder": as_folder,
    "a.safetensors": lambda path: save_file(ARRAYS, path),
    "a.pt": lambda path: torch.save(
        {"h": TENSORS["features"], "y": TENSORS["labels"], "fc.weight": TENSORS["weight"], "fc.bias": TENSORS["bias"]},
        path,
    ),
    "tree.pth": as_tree,
    "old.pt": lambda path: torch.save(TENSORS, path, _use_new_zipfile_serialization=False),
    "a.h5": as_hdf5,
    "chunked.hdf5": lambda path: as_hdf5(path, chunks=True, compression="gzip"),
}
MAPPED = {"a.npz", "fortran.npz", "folder", "a.safetensors", "a.h5"}


def is_mapped(array):
    while isinstance(array, np.ndarray) and not isinstance(array, np.memmap):
        array = array.base
    return isinstance(array, np.memmap)


@pytest.mark.parametrize("kind", WRITERS)
def test_every_kind_of_file_gives_the_same_measures(kind, tmp_path):
    WRITERS[kind](tmp_path / kind)
    [dump] = read_features([tmp_path / kind])
    assert is_mapped(dump.splits["train"].features) == (kind in MAPPED)
    table = measure_files([tmp_path / kind])
    # The order in memory is that of sums.
    expected = pytest.approx(collapse_measures(**ARRAYS), rel=1e-9)
    assert dict(zip(table.measure, table.value, strict=True)) == expected


@pytest.mark.parametrize("kind", ["a.csv", "a.parquet"])
def test_a_table_has_a_column_a_feature_and_one_of_labels(kind, tmp_path):
    table = pd.DataFrame(CASE.features, columns=[f"h{i}" for i in range(CASE.features.shape[1])])
    table["species"] = np.array(["ant", "bee", "cat", "dog"])[CASE.labels]
    table.to_csv(tmp_path / kind, index=False) if kind == "a.csv" else table.to_parquet(tmp_path / kind)
    [dump] = read_features([tmp_path / kind], names={"labels": "species"})
    np.testing.assert_array_equal(dump.splits["train"].features, CASE.features)
    np.testing.assert_array_equal(dump.splits["train"].labels, CASE.labels)


def test_bfloat16_is_read_as_float32(tmp_path):
    from safetensors.torch import save_file as save_tensors

    save_tensors(TENSORS | {"features": TENSORS["features"].bfloat16()}, tmp_path / "a.safetensors")
    [dump] = read_features([tmp_path / "a.safetensors"])
    np.testing.assert_array_equal(dump.splits["train"].features, TENSORS["features"].bfloat16().float().numpy())


def test_a_pickle_that_runs_code_is_refused(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    torch.save({"features": Trap()}, tmp_path / "a.pt")
    with pytest.raises(InputError, match=r"a\.pt: can't be read"):
        read_features([tmp_path / "a.pt"])
    assert not (tmp_path / "sprung").exists()


def test_without_a_classifier_what_needs_none_is_measured(tmp_path):
    np.savez(tmp_path / "a.npz", features=CASE.features, labels=CASE.labels)
    table = measure_files([tmp_path / "a.npz"])
    assert dict(zip(table.measure, table.value, strict=True)) == collapse_measures(CASE.features, CASE.labels)


def test_a_test_split_is_held_against_the_class_means_of_the_train_split(tmp_path):
    shifted = CASE.features + 1.5
    np.savez(tmp_path / "a.npz", X_train=CASE.features, y_train=CASE.labels, X_test=shifted, y_test=CASE.labels,
             W=CASE.weight, b=CASE.bias)  # fmt: skip
    table = measure_files([tmp_path / "a.npz"])
    found = {split: dict(zip(rows.measure, rows.value, strict=True)) for split, rows in table.groupby("split")}
    assert found["train"] == collapse_measures(**ARRAYS)
    centres = class_moments(CASE.features, CASE.labels, 4).class_means
    expected = collapse_measures(**ARRAYS | {"features": shifted})
    expected |= example_measures(shifted, CASE.labels, centres, CASE.weight, CASE.bias)
    assert found["test"] == pytest.approx(expected)
    assert found["test"]["ncc_mismatch"] != collapse_measures(**ARRAYS | {"features": shifted})["ncc_mismatch"]


def test_files_of_epochs_and_networks_become_one_table(tmp_path):
    for network in ("wide", "deep"):
        (tmp_path / network).mkdir()
        for epoch in (2, 10):
            np.savez(tmp_path / network / f"epoch-{epoch:03d}.npz", features=CASE.features + epoch, labels=CASE.labels)
    torch.save({"fc.weight": TENSORS["weight"], "fc.bias": TENSORS["bias"]}, tmp_path / "classifier.pt")
    output = tmp_path / "table.csv"
    files = [str(tmp_path / name) for name in ("wide", "deep", "classifier.pt")]
    assert main(["measure", *files, "--loss", "ce", "--dataset", "mine", "--output", str(output)]) == 0
    table = read_own_tables([output])
    assert set(zip(table.network, table.epoch, strict=True)) == {(n, e) for n in ("wide", "deep") for e in (2, 10)}
    assert set(table.loss) == {"ce"} and set(table.dataset) == {"mine"}
    logits = torch.from_numpy(CASE.features + 2) @ TENSORS["weight"].T + TENSORS["bias"]
    losses = torch.nn.functional.cross_entropy(logits, TENSORS["labels"], reduction="none").numpy()
    mean = np.mean([losses[CASE.labels == c].mean() for c in range(4)])
    [loss] = table[(table.measure == "loss") & (table.epoch == 2) & (table.network == "wide")].value
    assert loss == pytest.approx(mean)
    assert not table.measure.str.startswith(("loss_", "classifier_distance", "distance")).any()


def test_arrays_in_files_of_their_own_find_each_other(tmp_path):
    for epoch in (1, 2):
        np.save(tmp_path / f"epoch{epoch}_features.npy", CASE.features * epoch)
    for name, of in {"labels": "labels", "fc.weight": "weight", "fc.bias": "bias"}.items():
        np.save(tmp_path / f"{name}.npy", ARRAYS[of])
    dumps = read_features([tmp_path])
    assert [dump.epoch for dump in dumps] == [1, 2]
    for dump in dumps:
        np.testing.assert_array_equal(dump.splits["train"].features, CASE.features * dump.epoch)
        np.testing.assert_array_equal(dump.weight, CASE.weight)


@pytest.mark.parametrize(
    ("given", "classes", "expected", "said"),
    [
        (np.array([0, 1, 2]), 3, [0, 1, 2], ""),
        (np.array([[0], [2]]), 3, [0, 2], ""),
        (np.array([1, 3, 2]), 3, [0, 2, 1], "labels: 1 to 3 are read as 0 to 2"),
        (np.array([1, 2]), 3, [1, 2], ""),  # class 0 has no example, which is said later
        (np.array([7, 3, 7]), None, [1, 0, 1], "labels: 3, 7 are read as 0 to 1"),
        (np.array([1.0, 0.0]), None, [1, 0], ""),
        (np.array([True, False]), None, [1, 0], ""),
        (np.array(["dog", "cat", "dog"]), None, [1, 0, 1], "labels: the classes are cat, dog in this order"),
        (np.array(["b", "a"], dtype=object), None, [1, 0], "labels: the classes are a, b in this order"),
        (np.eye(3)[[2, 0]], 3, [2, 0], ""),
    ],
)
def test_labels_of_every_kind_are_numbered_from_zero(given, classes, expected, said, capsys):
    found = class_labels(given, classes)
    assert found.tolist() == expected and found.dtype == np.int64
    error = capsys.readouterr().err
    assert error.startswith(said) and bool(error) == bool(said)


def test_both_splits_number_their_classes_alike(tmp_path):
    names = np.array(["ant", "bee", "cat"])
    np.savez(tmp_path / "a.npz", train_features=CASE.features[:6], train_labels=names[[0, 1, 2, 0, 1, 2]],
             test_features=CASE.features[:4], test_labels=names[[2, 2, 1, 1]])  # fmt: skip
    [dump] = read_features([tmp_path / "a.npz"])
    assert dump.splits["test"].labels.tolist() == [2, 2, 1, 1]


def without(*names):
    return {name: array for name, array in ARRAYS.items() if name not in names}


@pytest.mark.parametrize(
    ("arrays", "flags", "sentence"),
    [
        (without("labels"), [], "a.npz: no labels; collapse is about classes"),
        (without("features"), [], "no features; an array must be named so, or be named by --features"),
        (ARRAYS | {"embeddings": CASE.features}, [], "'embeddings' and 'features' of"),
        (ARRAYS, ["--labels", "y2"], "no file holds an array named as the labels 'y2'"),
        (ARRAYS | {"labels": CASE.labels / 3}, [], "labels: must be class labels, found numbers that are not whole"),
        (ARRAYS | {"labels": np.ones((24, 4))}, [], "but not a single 1 in every row"),
        (ARRAYS | {"features": CASE.features[:5]}, [], "a, epoch 0, train data: features must be numbers of the shape"),
        (ARRAYS | {"weight": CASE.weight.T}, [], "a, epoch 0, train data: "),
    ],
)
def test_what_is_missing_or_doubtful_is_one_sentence(arrays, flags, sentence, tmp_path, capsys):
    np.savez(tmp_path / "a.npz", **arrays)
    assert main(["measure", str(tmp_path / "a.npz"), *flags]) == 1
    *_, error = capsys.readouterr().err.splitlines()
    assert error.startswith("error: ") and sentence in error


def test_two_files_of_one_network_and_epoch_are_refused(tmp_path):
    for name in ("epoch-1", "epoch_001"):
        np.savez(tmp_path / f"{name}.npz", **ARRAYS)
    with pytest.raises(InputError, match="at epoch 1; put the epoch into their names"):
        read_features([tmp_path])


def test_a_name_that_is_given_wins_over_those_that_are_known(tmp_path):
    np.savez(tmp_path / "a.npz", **ARRAYS | {"features": CASE.features[::-1], "layer4": CASE.features})
    [dump] = read_features([tmp_path / "a.npz"], names={"features": "layer4"})
    np.testing.assert_array_equal(dump.splits["train"].features, CASE.features)


def test_several_networks_are_printed_side_by_side(tmp_path, capsys):
    for name in ("wide", "deep"):
        np.savez(tmp_path / f"{name}.npz", **ARRAYS)
    assert main(["measure", str(tmp_path / "wide.npz"), str(tmp_path / "deep.npz")]) == 0
    heading, nc1, *_ = capsys.readouterr().out.splitlines()
    assert heading.split() == ["network", "deep", "wide"] and nc1.split()[0] == "nc1"
    assert main(["measure", str(tmp_path / "wide.npz"), str(tmp_path / "deep.npz"), "--json"]) == 0
    assert [found["network"] for found in json.loads(capsys.readouterr().out)] == ["deep", "wide"]


def test_the_public_names_are_there():
    assert neural_collapse.read_features is read_features and neural_collapse.measure_files is measure_files
