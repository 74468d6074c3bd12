"""What people use on features of their own: two names to import, and one command."""

import io
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from cases import CASES
from scipy.sparse import csr_array

import neural_collapse
from neural_collapse.__main__ import main
from neural_collapse.errors import InputError

CASE = CASES["imbalanced"]
ARRAYS = {"features": CASE.features, "labels": CASE.labels, "weight": CASE.weight, "bias": CASE.bias}


def measure(**changes):
    return neural_collapse.collapse_measures(**{**ARRAYS, **changes})


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_tensors_are_measured_like_arrays(dtype):
    tensors = {name: torch.from_numpy(array) for name, array in ARRAYS.items()}
    tensors |= {"features": tensors["features"].to(dtype), "weight": tensors["weight"].clone().requires_grad_()}
    exact = tensors["features"].double().numpy()
    assert measure(**tensors) == pytest.approx(measure(features=exact), rel=1e-12, abs=1e-12)


def test_arguments_are_left_as_they_were():
    before = {name: array.copy() for name, array in ARRAYS.items()}
    measure()
    assert all((before[name] == array).all() for name, array in ARRAYS.items())


def with_nan():
    features = CASE.features.copy()
    features[3, 1] = np.nan
    return features


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"features": with_nan()}, "features: all numbers must be finite, found nan at [3, 1]."),
        ({"bias": np.full(4, np.inf)}, "bias: all numbers must be finite, found inf at [0]."),
        ({"features": CASE.features[:, :1]}, "features: must have the shape (N, P) with P >= 2, found (24, 1)."),
        ({"features": CASE.features[0]}, "features: must have the shape (N, P) with P >= 2, found (5,)."),
        ({"features": [["a", "b"]]}, "features: must be an array of real numbers, found the type <U1."),
        (
            {"labels": CASE.labels[1:]},
            "labels: must be one integer for each of the 24 examples, found int64 (23,).",
        ),
        (
            {"labels": CASE.labels.astype(float)},
            "labels: must be one integer for each of the 24 examples, found float64 (24,).",
        ),
        ({"labels": CASE.labels + 1}, "labels: must lie in 0..3, one for each row of weight, found 4."),
        ({"labels": np.minimum(CASE.labels, 2)}, "labels: every class needs an example, found none of class 3."),
        (
            {"weight": CASE.weight.T},
            "weight: must have the shape (C, 5), as many columns as the features and C >= 2, found (5, 4).",
        ),
        ({"bias": np.zeros(5)}, "bias: must have the shape (4,), one number a row of weight, found (5,)."),
        ({"labels": None}, "labels: must be one integer for each of the 24 examples, found None."),
        ({"features": None}, "features: must have the shape (N, P) with P >= 2, found None."),
        ({"weight": None}, "bias: there is one but no weight; pass both, or neither."),
        (
            {"features": torch.from_numpy(CASE.features).to_sparse()},
            "features: must be a dense array, found a sparse one; pass it as .toarray() or .to_dense().",
        ),
        (
            {"weight": csr_array(CASE.weight)},
            "weight: must be a dense array, found a sparse one; pass it as .toarray() or .to_dense().",
        ),
        (
            {"features": np.ma.masked_less(CASE.features, 0)},
            f"features: {(CASE.features < 0).sum()} numbers are masked; leave out their examples, or fill them in.",
        ),
        (
            {"features": 1e155 * CASE.features / np.abs(CASE.features).max()},
            "features: the largest number must lie between 1e-70 and 1e+70, found 1e+155; "
            "scale it, and what is multiplied by it inversely.",
        ),
        (
            {"features": 1e-200 * CASE.features / np.abs(CASE.features).max()},
            "features: the largest number must lie between 1e-70 and 1e+70, found 1e-200; "
            "scale it, and what is multiplied by it inversely.",
        ),
        ({"weight_decay_lambda": -1.0}, "weight_decay_lambda: must be a number of at least 0, found -1.0."),
    ],
)
def test_bad_input_is_one_sentence(changes, sentence):
    with pytest.raises(InputError) as error:
        measure(**changes)
    assert str(error.value) == sentence


@pytest.mark.parametrize("scale", [1e-69, 1e69])
def test_the_largest_and_smallest_features_that_are_taken_are_measured(scale):
    found = measure(features=scale * CASE.features / np.abs(CASE.features).max(), weight=CASE.weight / scale)
    expected = measure(features=CASE.features / np.abs(CASE.features).max())
    for name in ("nc1", "numerical_rank", "cdnv", "etf_error_duality", "snr_1", "loss_nc1__sample_weighted", "error"):
        assert found[name] == pytest.approx(expected[name], rel=1e-9)


def test_masked_arrays_without_a_mask_and_eight_bit_floats_are_measured():
    assert measure(features=np.ma.asarray(CASE.features)) == measure()
    eighth = torch.from_numpy(CASE.features).to(torch.float8_e4m3fn)
    assert measure(features=eighth) == measure(features=eighth.float())


def test_command_prints_a_table_or_json(tmp_path, capsys):
    np.savez(tmp_path / "mine.npz", **ARRAYS)
    expected = measure(weight_decay_lambda=0.1)
    assert main(["measure", str(tmp_path / "mine.npz"), "--weight-decay-lambda", "0.1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == expected
    assert main(["measure", str(tmp_path / "mine.npz"), "--weight-decay-lambda", "0.1"]) == 0
    table = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert {name: float(value) for name, value in table.items()} == pytest.approx(expected, rel=1e-7)


def test_command_takes_a_classifier_without_bias(tmp_path, capsys):
    np.savez(tmp_path / "mine.npz", **{name: ARRAYS[name] for name in ("features", "labels", "weight")})
    assert main(["measure", str(tmp_path / "mine.npz"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == measure(bias=None)


def sentence_of(capsys, *arguments) -> str:
    """What `measure` says is wrong, one sentence."""
    assert main(["measure", *map(str, arguments)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    return error


def test_command_names_what_is_wrong_with_a_file(tmp_path, capsys):
    path = tmp_path / "mine.npz"
    assert f"{path}: there is no such file" in sentence_of(capsys, path)
    np.savez(path, features=CASE.features)
    assert f"{path}: no labels" in sentence_of(capsys, path)
    np.savez(path, **ARRAYS | {"bias": None})
    assert "without what is None" in sentence_of(capsys, path)
    np.savez_compressed(path, **ARRAYS)
    altered = bytearray(path.read_bytes())
    altered[100] ^= 255  # in the middle of what is compressed, where zlib itself fails
    array = io.BytesIO()
    np.save(array, CASE.features)
    for damaged in (b"", b"no archive", bytes(altered), array.getvalue()):
        path.write_bytes(damaged)
        assert f"{path}: not a whole .npz file" in sentence_of(capsys, path)


def test_measuring_loads_no_torch():
    """The measuring step starts in a fraction of the time that importing torch takes."""
    code = "import sys, neural_collapse.steps.measure; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}).returncode == 0
