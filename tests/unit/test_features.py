"""From checkpoints to moments to rows: the numbers of the pipeline are those of the features themselves."""

from collections import OrderedDict
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from neural_collapse.__main__ import main
from neural_collapse.data.dataset import Dataset, standardise, write_dataset
from neural_collapse.features.extraction import take_snapshots
from neural_collapse.features.moments import class_moments, read_snapshots, write_snapshots
from neural_collapse.metrics.measures import collapse_measures, snapshot_measures, variability_collapse
from neural_collapse.steps import extract_features

CLASSES = 3


class Small(nn.Module):
    """Two stages and a classifier, as `networks.Network` has them.

    It computes in float64 and rounds once: the float32 activations of an image do not depend on its batch.
    """

    def __init__(self, seed: int = 0):
        super().__init__()
        torch.manual_seed(seed)
        self.stages = nn.ModuleDict(
            {"first": nn.Sequential(nn.Conv2d(1, 5, 3), nn.ReLU(), nn.Flatten()), "second": nn.Linear(20, 6)}
        )
        self.stages.double()
        self.classifier = nn.Linear(6, CLASSES)

    def layers(self, images):
        activations = OrderedDict()
        for name, stage in self.stages.items():
            activations[name] = images = stage(images.double()).float()
        return activations

    def features(self, images):
        return self.layers(images)["second"]


@pytest.fixture
def dataset():
    random = np.random.default_rng(0)
    counts = {"train": [400, 300, 500], "test": [20, 30, 10]}  # unequal, and more than one batch
    images, labels = {}, {}
    for split, of_class in counts.items():
        labels[split] = random.permutation(np.repeat(np.arange(CLASSES), of_class))
        shape = (len(labels[split]), 1, 4, 4)
        images[split] = (60 * labels[split][:, None, None, None] + random.integers(0, 130, shape)).astype(np.uint8)
    return Dataset(
        "small",
        images["train"],
        labels["train"],
        images["test"],
        labels["test"],
        ("a", "b", "c"),
        np.array([0.5]),
        np.array([0.2]),
    )


@pytest.fixture
def rows(dataset):
    """The features (N, P), labels, weight and bias of each split, without any of the code under test."""
    network = Small()
    weight, bias = (values.detach().double().numpy() for values in network.classifier.parameters())
    found = {}
    for split in ("train", "test"):
        images = torch.from_numpy(getattr(dataset, f"{split}_images"))
        with torch.no_grad():
            features = network.features(standardise(images, dataset.mean, dataset.std)).numpy()
        found[split] = features, getattr(dataset, f"{split}_labels"), weight, bias
    return found


def snapshots(dataset, loss="mse", options=None, layers=False):
    return take_snapshots(Small(), dataset, loss, options or {}, seed=3, layers=layers, device="cpu")


@pytest.mark.parametrize("weight_decay", [0.0, 5e-3])
def test_what_is_kept_gives_the_measures_of_the_features(dataset, rows, weight_decay, tmp_path):
    write_snapshots(tmp_path / "kept.safetensors", [7], {k: [v] for k, v in snapshots(dataset).items()})
    for epoch, split, snapshot in read_snapshots(tmp_path / "kept.safetensors"):
        assert epoch == 7
        found = snapshot_measures(snapshot, loss="mse", weight_decay=weight_decay)
        expected = collapse_measures(*rows[split], weight_decay_lambda=CLASSES * weight_decay / 2)
        half = collapse_measures(*rows[split], weight_decay_lambda=weight_decay / 2)
        expected |= {f"{name}__half_wd": value for name, value in half.items() if f"{name}__half_wd" in found}
        if split == "test":  # centres and margins there are those of the train split
            of_centres = ("ncc_mismatch", "ncc_error", "cosine_margin")
            expected = {name: value for name, value in expected.items() if not name.startswith(of_centres)}
        # One covariance is kept, in which every class counts the same.
        expected = {name: value for name, value in expected.items() if "__sample_weighted" not in name}
        assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-8, abs=1e-12)


def test_loss_is_that_of_the_examples_one_by_one(dataset, rows):
    """`nn.MSELoss` of every example, a path that knows no moments, gives the loss of the rows."""
    for snapshot in snapshots(dataset).values():
        found = snapshot_measures(snapshot, loss="mse", weight_decay=5e-3)
        _, _, weight, bias = rows["train"]
        decay = CLASSES * 5e-3 / 4 * ((weight**2).sum() + (bias**2).sum())
        assert found["loss"] == pytest.approx(CLASSES / 2 * snapshot.class_losses.mean() + decay, rel=1e-12)


def test_test_split_is_compared_with_the_train_split(dataset, rows):
    features, labels, weight, bias = rows["test"]
    train_means = class_moments(*rows["train"][:2], CLASSES).class_means
    found = snapshot_measures(snapshots(dataset)["test"], loss="ce", weight_decay=0.0)
    nearest = ((features[:, None] - train_means) ** 2).sum(2).argmin(1)
    assert found["ncc_mismatch"] == ((features @ weight.T + bias).argmax(1) != nearest).mean()
    expected = variability_collapse(class_moments(features, labels, CLASSES), train_means)
    assert found["nc1__train_means"] == pytest.approx(expected, rel=1e-9)


def test_losses_other_than_mse_are_recorded_alone(dataset, rows):
    features, labels, weight, bias = rows["train"]
    logits = torch.from_numpy(features.astype(np.float64) @ weight.T + bias)
    cross_entropy = nn.functional.cross_entropy(logits, torch.from_numpy(labels), reduction="none").numpy()
    found = snapshot_measures(snapshots(dataset, "ce")["train"], loss="ce", weight_decay=5e-3)
    assert found["loss"] == pytest.approx(np.mean([cross_entropy[labels == c].mean() for c in range(CLASSES)]))
    assert found["loss__sample_weighted"] == pytest.approx(cross_entropy.mean())
    assert not {"loss_nc1", "loss_perp", "loss__half_wd", "classifier_distance"} & found.keys()
    scaled = snapshots(dataset, "scaled_mse", {"target_weight": 5.0, "target_value": 2.0})["train"]
    target = np.eye(CLASSES)[labels]
    squares = (np.where(target == 1, 5.0, 1.0) * (logits.numpy() - 2.0 * target) ** 2).mean(1)
    expected = np.mean([squares[labels == c].mean() for c in range(CLASSES)])
    assert snapshot_measures(scaled, loss="scaled_mse", weight_decay=5e-3)["loss"] == pytest.approx(expected)


def test_wrong_labels_are_counted_apart_from_the_others(dataset, rows, tmp_path):
    true = dataset.train_labels.copy()
    true[::7] = (true[::7] + 1) % CLASSES
    kept = snapshots(replace(dataset, true_train_labels=true))
    write_snapshots(tmp_path / "kept.safetensors", [1], {split: [snapshot] for split, snapshot in kept.items()})
    features, labels, weight, bias = rows["train"]
    decided = (features @ weight.T + bias).argmax(1)
    wrong = [i for i in range(len(labels)) if labels[i] != true[i]]
    right = sorted(set(range(len(labels))) - set(wrong))
    for _, split, snapshot in read_snapshots(tmp_path / "kept.safetensors"):
        found = snapshot_measures(snapshot, loss="ce", weight_decay=0.0)
        if split == "test":
            assert not [name for name in found if "noisy" in name or "clean" in name]
            continue
        assert found["error__noisy"] == pytest.approx(sum(decided[i] != labels[i] for i in wrong) / len(wrong))
        assert found["error__noisy_true"] == pytest.approx(sum(decided[i] != true[i] for i in wrong) / len(wrong))
        assert found["error__clean"] == pytest.approx(sum(decided[i] != labels[i] for i in right) / len(right))


def test_batch_statistics_are_those_of_training(dataset):
    """Against features of every batch by a network in train mode, which afterwards is as it was before."""
    network = Small()
    network.stages["second"] = nn.Sequential(nn.Linear(20, 6), nn.BatchNorm1d(6)).double()
    network.eval()
    before = {name: values.clone() for name, values in network.state_dict().items()}
    taken = take_snapshots(network, dataset, "mse", {}, seed=3, layers=False, batch_statistics=64, device="cpu")
    assert all(torch.equal(values, before[name]) for name, values in network.state_dict().items())
    assert taken["test"].batch_statistics is None
    assert snapshots(dataset)["train"].batch_statistics is None, "not asked for"
    assert not any(module.training for module in network.modules() if isinstance(module, nn.BatchNorm1d))

    order = np.random.default_rng(3).permutation(1200)
    features = np.empty((1200, 6))
    network.train()
    for last in [*range(64, 1200, 64), 1200]:
        images = torch.from_numpy(dataset.train_images[order[last - 64 : last]])
        fresh = 64 if last < 1200 else 1200 % 64
        with torch.no_grad():
            found = network.features(standardise(images, dataset.mean, dataset.std)).double().numpy()
        features[order[last - fresh : last]] = found[-fresh:]
    weight, bias = (values.detach().double().numpy() for values in network.classifier.parameters())
    expected = collapse_measures(features, dataset.train_labels, weight, bias, weight_decay_lambda=0.0075)
    found = snapshot_measures(taken["train"], loss="mse", weight_decay=0.005)
    for name in ("nc1", "loss", "loss_ls", "loss_nc1", "loss_nc23", "loss_perp", "classifier_distance"):
        assert found[f"{name}__batch_statistics"] == pytest.approx(expected[name], rel=1e-7)
        assert found[name] != pytest.approx(expected[name], rel=1e-3)


def test_the_law_under_weight_decay_is_recorded(dataset):
    found = snapshot_measures(snapshots(dataset)["train"], loss="mse", weight_decay=0.005)
    assert found["law_residual"] <= 1e-12
    assert found["snr_regularised_ratio"] == found["snr_regularised_2"] / found["snr_regularised_1"]
    assert "snr_regularised_3" not in found


def test_inner_layers(dataset, rows):
    def first_layer(split):
        images = torch.from_numpy(getattr(dataset, f"{split}_images"))
        with torch.no_grad():
            return Small().layers(standardise(images, dataset.mean, dataset.std))["first"].double().numpy()

    train = first_layer("train")
    centres = np.stack([train[dataset.train_labels == c].mean(0) for c in range(CLASSES)])
    for split, snapshot in snapshots(dataset, layers=True).items():
        found = snapshot_measures(snapshot, loss="ce", weight_decay=0.0)
        first = first_layer(split)
        features, labels, weight, bias = rows[split]
        expected = variability_collapse(class_moments(first, labels, CLASSES))
        assert found["nc1__first"] == pytest.approx(expected, rel=1e-9)
        nearest = ((first[:, None] - centres) ** 2).sum(2).argmin(1)
        decided = (features @ weight.T + bias).argmax(1)
        assert 0.1 < found["ncc_mismatch__first"] == (decided != nearest).mean() < 0.9
        assert "nc1__second" not in found  # the last layer is `nc1`


def test_sample_keeps_angles_and_lengths(dataset, rows):
    sample = snapshots(dataset)["train"].sample
    features, labels, weight, _ = rows["train"]
    centred = features[sample.examples] - class_moments(features, labels, CLASSES).class_means.mean(0)
    assert len(set(sample.examples)) == 1000
    assert (sample.labels == labels[sample.examples]).all()
    np.testing.assert_allclose(sample.coordinates @ sample.weight.T, centred @ weight.T, atol=1e-12)
    lengths = np.hypot(np.linalg.norm(sample.coordinates, axis=1), sample.distances)
    np.testing.assert_allclose(lengths, np.linalg.norm(centred, axis=1))


def test_steps(dataset, tmp_path, monkeypatch):
    """extract-features and measure on files: tidy rows of each epoch and split, and the same bytes again."""
    monkeypatch.setattr(
        extract_features, "load_network", lambda path, dataset: (Small(seed=int(path.stem)), 1 + int(path.stem))
    )
    write_dataset(tmp_path / "data.safetensors", dataset)
    tables = []
    for attempt in ("a", "b"):
        features, table = tmp_path / f"{attempt}.safetensors", tmp_path / f"{attempt}.csv"
        extract = (
            f"extract-features --data {tmp_path}/data.safetensors --checkpoints 0 1 --loss mse --seed 0 --threads 1"
        )
        assert main([*extract.split(), "--output", str(features)]) == 0
        run = "--dataset small --network small --loss mse --seed 0 --weight-decay 0.005"
        assert main(["measure-run", str(features), *run.split(), "--output", str(table)]) == 0
        tables.append(table.read_bytes())
    assert tables[0] == tables[1]
    table = pd.read_csv(tmp_path / "a.csv")
    assert list(table) == ["dataset", "network", "loss", "variant", "seed", "epoch", "split", "measure", "value"]
    assert set(zip(table.epoch, table.split, strict=True)) == {(e, s) for e in (1, 2) for s in ("train", "test")}
    values = table.pivot(index=["epoch", "split"], columns="measure", values="value")
    for variant in ("", "__half_wd"):
        total = sum(values[f"{term}{variant}"] for term in ("loss_nc1", "loss_nc23", "loss_perp"))
        np.testing.assert_allclose(total, values[f"loss{variant}"], rtol=1e-10)
