"""Data out of distribution: what is kept of them, every score against a naive definition, the measures of scores."""

import numpy as np
import pandas as pd
import pytest
import tiny_training
import torch
from sklearn.metrics import roc_auc_score, roc_curve
from synthetic import synthetic_run

from neural_collapse.data.preparation import load, prepare
from neural_collapse.errors import InputError
from neural_collapse.features import out_of_distribution as kept
from neural_collapse.features.extraction import look_outside
from neural_collapse.features.out_of_distribution import along_axes, read_outlooks, write_outlooks
from neural_collapse.figures.figure_out_of_distribution import draw
from neural_collapse.metrics.out_of_distribution import (
    NCI_ALPHA,
    SCORES,
    Score,
    area_under_curve,
    false_positive_rate,
    out_of_distribution_measures,
)
from neural_collapse.metrics.runs import COLUMNS
from neural_collapse.train import networks

CLASSES, LENGTH = 3, 12


def features(seed=0, dead=0, length=LENGTH):
    """Features of three classes and of others, float32, `dead` of them zero in the train set; and a classifier."""
    generator = np.random.default_rng(seed)
    labels = np.arange(60) % CLASSES
    means = 3 * generator.normal(size=(CLASSES, length))
    found = {
        "train": means[labels] + generator.normal(size=(60, length)),
        "test": means[np.arange(20) % CLASSES] + generator.normal(size=(20, length)),
        "noise": 2 * generator.normal(size=(15, length)),
        "far": 5 + generator.normal(size=(9, length)),
    }
    found = {name: np.maximum(rows, 0).astype(np.float32) for name, rows in found.items()}
    found["train"][:, length - dead :] = 0
    return found, labels, (means + generator.normal(size=means.shape)) / 20, generator.normal(size=CLASSES)


class Naive:
    """Every score of one example in float64, by loops, pseudo-inverse and singular vectors; nothing shared."""

    def __init__(self, train, labels, weight, bias):
        train = train.astype(np.float64)
        self.weight, self.bias = weight, bias
        self.mean = sum(train) / len(train)
        self.class_means = [sum(h for h, y in zip(train, labels, strict=True) if y == c) / 20 for c in range(CLASSES)]
        self.axes = np.linalg.svd(train - self.mean)[2][: CLASSES - 1]
        residuals = [h - self.class_means[y] for h, y in zip(train, labels, strict=True)]
        self.precision = np.linalg.pinv(sum(np.outer(r, r) for r in residuals) / len(train))

    def scores(self, h):
        h = h.astype(np.float64)
        logits = [sum(w * h) + b for w, b in zip(self.weight, self.bias, strict=True)]
        norm = sum(h**2) ** 0.5
        neco = sum(sum(axis * h) ** 2 for axis in self.axes) ** 0.5 / norm
        centred = h - self.mean
        decided = self.weight[logits.index(max(logits))]
        return {
            "maximum_softmax": max(np.exp(logit) / sum(np.exp(logits)) for logit in logits),
            "maximum_logit": max(logits),
            "energy": np.log(sum(np.exp(logits))),
            "mahalanobis": -min((h - mean) @ self.precision @ (h - mean) for mean in self.class_means),
            "neco": neco,
            "neco_maximum_logit": neco * max(logits),
            "nci": sum(decided * centred) / sum(centred**2) ** 0.5 + NCI_ALPHA * sum(abs(h)),
        }

    def orthogonality(self, rows, about):
        mean = sum(rows.astype(np.float64)) / len(rows) - about
        return sum(
            abs(sum((c - about) * mean)) / (sum((c - about) ** 2) * sum(mean**2)) ** 0.5 for c in self.class_means
        ) / len(self.class_means)


def assert_scores(outlook, found, naive, rtol, but=()):
    for name in ("test", "noise", "far"):
        expected = [naive.scores(row) for row in found[name]]
        for kind in SCORES.keys() - set(but):
            values = SCORES[kind](Score(outlook), outlook.examples[name])
            values = np.exp(values) if kind == "maximum_softmax" else values  # given as a logarithm
            np.testing.assert_allclose(values, [one[kind] for one in expected], rtol=rtol, err_msg=kind)


@pytest.mark.parametrize("dead", [0, 2])
def test_scores_are_those_of_their_papers(dead):
    """With dead units, whose covariance has no inverse: their directions do not count, whatever other data do there."""
    found, labels, weight, bias = features(dead=dead)
    naive = Naive(found["train"], labels, weight, bias)
    outlook = along_axes(found, labels, weight, bias)
    # The norm of all of h is kept in float32.
    assert_scores(outlook, found, naive, rtol=1e-9, but=["nci"])
    assert_scores(outlook, found, naive, rtol=1e-7, but=[kind for kind in SCORES if kind != "nci"])
    measures = out_of_distribution_measures(outlook)
    for name in ("noise", "far"):
        np.testing.assert_allclose(measures[f"nc5__{name}"], naive.orthogonality(found[name], 0), rtol=1e-9)
        centred = naive.orthogonality(found[name], naive.mean)
        np.testing.assert_allclose(measures[f"nc5_centred__{name}"], centred, rtol=1e-9)


def test_scores_of_long_features_follow_from_coordinates_along_some_axes(monkeypatch):
    monkeypatch.setattr(kept, "AXES", 4)
    found, labels, weight, bias = features(length=40)
    naive = Naive(found["train"], labels, weight, bias)
    outlook = along_axes(found, labels, weight, bias)
    assert outlook.weight.shape[1] == 3 + 4 + 3 + 4  # class means, means of four sets, classifiers, axes
    assert outlook.examples["noise"].residuals.min() > 0.1
    assert_scores(outlook, found, naive, rtol=3e-5, but=["mahalanobis"])
    expected = naive.orthogonality(found["far"], naive.mean)
    np.testing.assert_allclose(out_of_distribution_measures(outlook)["nc5_centred__far"], expected, rtol=1e-5)


def test_softmax_tells_examples_apart_where_it_rounds_to_one():
    found, labels, weight, bias = features()
    outlook = along_axes(found, labels, 50 * weight, bias)
    scores = SCORES["maximum_softmax"](Score(outlook), outlook.examples["test"])
    assert (np.exp(scores) == 1).sum() > 1 and len(np.unique(scores)) == len(scores)


@pytest.mark.parametrize("levels", [3, 1000])
def test_auroc_and_false_positive_rate_are_those_of_scikit_learn(levels):
    """With few levels, nearly all scores are ties."""
    generator = np.random.default_rng(levels)
    for inside, outside in ((40, 25), (7, 60), (100, 100)):
        scores = np.concatenate([generator.integers(1, levels, inside), generator.integers(0, levels, outside)]) / 7
        truth = np.repeat([1, 0], [inside, outside])
        expected = roc_auc_score(truth, scores)
        np.testing.assert_allclose(area_under_curve(scores[:inside], scores[inside:]), expected, rtol=1e-12)
        false, true, _ = roc_curve(truth, scores, drop_intermediate=False)
        assert false_positive_rate(scores[:inside], scores[inside:]) == false[true >= 0.95 - 1e-12].min()


def test_a_score_that_is_none_measures_nothing():
    found, labels, weight, bias = features()
    found["noise"][3] = 0  # whose direction NECO would ask for
    measures = out_of_distribution_measures(along_axes(found, labels, weight, bias))
    assert np.isnan(measures["neco__noise__auroc"]) and np.isnan(measures["neco__noise__fpr95"])
    assert not np.isnan(measures["energy__noise__auroc"])


def test_what_networks_make_of_images_is_kept_and_read_back(tmp_path):
    dataset = tiny_training.dataset()
    network = networks.build("vgg11", in_channels=1, classes=3, image_size=8, seed=0, width=0.0625).eval()
    others = tiny_training.dataset(seed=1).test_images[:5]
    outlook = look_outside(network, dataset, {"others": others}, device="cpu")
    write_outlooks(tmp_path / "kept.safetensors", [4], [outlook])
    [(epoch, read)] = read_outlooks(tmp_path / "kept.safetensors")
    assert epoch == 4 and list(read.examples) == ["train", "test", "others"]
    standardised = (torch.from_numpy(others) / 255 - dataset.mean[0]) / dataset.std[0]
    with torch.no_grad():
        logits = network(standardised.float()).numpy()
    np.testing.assert_allclose(Score(read).logits(read.examples["others"]), logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("damage", ["nan", "shape", "class", "absent"])
def test_a_damaged_file_is_refused(damage, tmp_path):
    found, labels, weight, bias = features()
    outlook = along_axes(found, labels, weight, bias)
    if damage == "nan":
        found["far"][2, 2] = np.nan
    elif damage == "shape":
        object.__setattr__(outlook, "weight", weight[:, :4])
    elif damage == "class":
        labels[labels == 2] = 1
    elif damage == "absent":
        object.__setattr__(outlook, "examples", {"test": outlook.examples["test"]})
    write_outlooks(tmp_path / "kept.safetensors", [1], [outlook])
    with pytest.raises(InputError, match=r"kept.safetensors: not what networks make of data out of distribution"):
        list(read_outlooks(tmp_path / "kept.safetensors"))


def test_patches_are_of_two_photographs_and_always_the_same():
    dataset = prepare(load("patches"), name="patches", train_per_class=100, padding=0, seed=0)
    assert dataset.class_names == ("china", "flower") and dataset.test_images.shape == (800, 1, 8, 8)
    assert (load("patches").train_images == load("patches").train_images).all()
    assert len(np.unique(load("patches").train_images, axis=0)) > 950  # sky is all alike


def table(sets=("patches", "left_out"), seeds=(0, 1)):
    """A run's own measures, and those of data out of its distribution, which grow with the epoch."""
    tables = []
    for seed in seeds:
        own = synthetic_run("digits", "vgg11", "mse").assign(seed=seed)
        tables.append(own)
        rows = [
            ("digits", "vgg11", "mse", "plain", seed, epoch, "test", measure, value)
            for epoch in sorted(own.epoch.unique())
            for of in sets
            for measure, value in [(f"nc5__{of}", 1 / epoch)]
            + [(f"{kind}__{of}__auroc", 1 - 1 / (epoch + seed + 1)) for kind in SCORES]
        ]
        tables.append(pd.DataFrame(rows, columns=COLUMNS))
    return pd.concat(tables)


def test_the_figure_has_a_panel_a_data_set_and_a_line_a_score():
    figure = draw(table())
    panels = {axes.get_title(): axes for axes in figure.axes}
    assert list(panels) == ["AUROC, classes left out", "AUROC, patches", "NC5, |cos| of means"]
    assert len(panels["AUROC, patches"].lines) == len(SCORES) + 1  # and the one of zero error
    line = panels["AUROC, patches"].lines[0]
    epochs = line.get_xdata()
    np.testing.assert_allclose(line.get_ydata(), np.median([1 - 1 / (epochs + 1), 1 - 1 / (epochs + 2)], axis=0))
    assert len(panels["NC5, |cos| of means"].lines) == 3
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "NECO" in labels and "NC5, classes left out" in labels and "train accuracy first ≥ 99.9 %" in labels
    with pytest.raises(InputError, match="nothing of data out of distribution"):
        draw(synthetic_run("digits", "vgg11", "mse"))
