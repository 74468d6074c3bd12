"""The portrait of collapse, from the sample that the features file keeps."""

import json

import numpy as np
import pytest

from neural_collapse.__main__ import main
from neural_collapse.errors import InputError
from neural_collapse.features.moments import Moments, Sample, Snapshot, write_snapshots
from neural_collapse.figures import figure_portrait
from neural_collapse.metrics.portrait import projected, read_portraits, simplex


def sample(spread, *, classes=4, dual=True, seed=0):
    """Examples about the corners of a simplex in any rotation; classifiers that are dual to them, or random."""
    random = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(random.standard_normal((8, 8)))
    means = 3 * (np.eye(classes) - 1 / classes) @ rotation[:classes]
    labels = np.repeat(np.arange(classes), 10)
    examples = means[labels] + spread * random.standard_normal((len(labels), 8))
    weight = 0.2 * means + random.standard_normal(8) if dual else random.standard_normal(means.shape)
    return Sample(np.arange(len(labels)), labels, examples, np.zeros(len(labels)), means, weight)


@pytest.mark.parametrize("classes", [2, 3, 4])
def test_a_collapsed_network_is_its_own_simplex(classes):
    points = projected(sample(0.0, classes=classes))
    corners = simplex(min(classes, 3))
    np.testing.assert_allclose(points["class_means"], corners, atol=1e-12)
    np.testing.assert_allclose(points["classifiers"], corners, atol=1e-12)
    np.testing.assert_allclose(points["examples"], corners.repeat(10, axis=0), atol=1e-12)


def test_the_plane_keeps_the_distances_of_the_class_means():
    random = np.random.default_rng(1)
    drawn = sample(1.0, dual=False)
    drawn.class_means[:] = random.standard_normal(drawn.class_means.shape)
    means, points = drawn.class_means[:3], projected(drawn)["class_means"]
    apart = [np.linalg.norm(of[[0, 1, 2]] - of[[1, 2, 0]], axis=1) for of in (means, points)]
    np.testing.assert_allclose(apart[0] / apart[0].sum(), apart[1] / apart[1].sum(), rtol=1e-12)


def write(path, spreads):
    def snapshot(spread):
        of_split = sample(spread)
        moments = Moments(of_split.class_means, np.ones(8), np.ones(4))
        return Snapshot(np.full(4, 10), moments, of_split.weight, {"error": 0.0}, np.zeros(4), of_split)

    series = [snapshot(spread) for spread in spreads]
    write_snapshots(path, list(range(1, len(spreads) + 1)), {"train": series, "test": series})


def test_a_row_a_training_and_the_same_bytes_each_time(tmp_path):
    for run in ("mnist-vgg11-mse-seed1", "mnist-vgg11-ce-seed2"):
        features = tmp_path / f"{run}.safetensors"
        write(features, np.linspace(1, 0, 9 if "mse" in run else 2))
        assert main(["portrait", str(features), "--output", str(features.with_suffix(".json"))]) == 0
    files = sorted(tmp_path.glob("*.json"), reverse=True)
    portraits = read_portraits(files)
    assert list(portraits) == ["mnist-vgg11-ce", "mnist-vgg11-mse"]
    last = projected(sample(0.0))
    for name in ("class_means", "classifiers", "examples"):
        drawn = getattr(portraits["mnist-vgg11-ce"], name)[-1]
        np.testing.assert_allclose(drawn, last[name], atol=5.1e-4)
    titles = [axes.get_title() for axes in figure_portrait.draw(portraits).axes]
    assert titles[:5] == ["epoch 1", "epoch 2", "", "", ""]
    assert titles[5:] == ["epoch 1", "epoch 3", "epoch 5", "epoch 7", "epoch 9"]
    for name in ("first", "second"):
        paths = ["--pdf", str(tmp_path / f"{name}.pdf"), "--png", str(tmp_path / f"{name}.png")]
        assert main(["figure", "--figure", "figure-portrait", "--tables", *map(str, files), *paths]) == 0
    for kind in ("pdf", "png"):
        assert (tmp_path / f"first.{kind}").read_bytes() == (tmp_path / f"second.{kind}").read_bytes()
    files[0].with_name("mnist-vgg11-mse-seed7.json").write_bytes(files[0].read_bytes())
    with pytest.raises(InputError, match=r"seed1\.json is of the same training"):
        read_portraits([*files, tmp_path / "mnist-vgg11-mse-seed7.json"])
    table = json.loads(files[0].read_text())
    for key in ("class_means", "classifiers"):
        table[key] = [[*points, [0.0, 0.0]] for points in table[key]]
    files[0].write_text(json.dumps(table))
    with pytest.raises(InputError, match="not a portrait"):
        read_portraits(files)
    with pytest.raises(InputError, match="nothing to draw"):
        figure_portrait.draw({})
