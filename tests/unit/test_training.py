"""The engine against the loop of published notebooks: a real DataLoader, eager steps, NCHW."""

import numpy as np
import pytest
import tiny_training
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from neural_collapse.data.dataset import standardise
from neural_collapse.device import prepare_device
from neural_collapse.errors import InputError
from neural_collapse.features.extraction import take_snapshots
from neural_collapse.metrics.adversarial import deepfool
from neural_collapse.metrics.measures import collapse_measures, snapshot_measures
from neural_collapse.train.checkpoints import load_network, write_checkpoint
from neural_collapse.train.networks import _dense_block, build
from neural_collapse.train.schedule import learning_rate
from neural_collapse.train.training import DivergenceError, Training, sample_order

NETWORKS = {"vgg11": {"width": 0.0625}, "resnet18": {"width": 0.0625}, "densenet40": {"growth_rate": 2}}


def start(dataset=None, **changed):
    settings = tiny_training.settings(**changed)
    return Training(dataset or tiny_training.dataset(), settings, prepare_device(settings.precision, threads=1))


def history(training):
    return [training.train_epoch(epoch) for epoch in range(1, training.settings.epochs + 1)]


@pytest.mark.parametrize("examples", [16, 21])
def test_order_is_that_of_a_seeded_dataloader_at_every_epoch(examples):
    for epoch in (1, 2, 7):
        seed = int(np.random.SeedSequence([3, epoch]).generate_state(1, np.uint64)[0])
        loader = DataLoader(
            range(examples),
            batch_size=8,
            shuffle=True,
            drop_last=True,
            generator=torch.Generator().manual_seed(seed),
        )
        batches = sample_order(examples, seed=3, epoch=epoch)[: examples // 8 * 8].split(8)
        assert [batch.tolist() for batch in batches] == [batch.tolist() for batch in loader]


class Notebook:
    """The loop of published notebooks: default SGD, one-hot targets, one batch after another, NCHW, any dtype."""

    def __init__(self, engine, dataset, dtype):
        self.settings, self.dtype, self.device = engine.settings, dtype, engine.device
        mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (dataset.mean, dataset.std))
        images, test = (
            ((torch.tensor(split).double() / 255 - mean) / std).to(self.device, dtype)
            for split in (dataset.train_images, dataset.test_images)
        )
        self.train = TensorDataset(images, torch.tensor(dataset.train_labels).to(self.device))
        self.test = test, torch.tensor(dataset.test_labels).to(self.device)
        architecture = dict(engine.architecture)
        self.network = build(**architecture.pop("options"), **architecture, seed=0).to(self.device, dtype)
        self.network.load_state_dict(engine.network.state_dict())
        self.optimizer = torch.optim.SGD(
            self.network.parameters(),
            lr=1.0,
            momentum=self.settings.momentum,
            weight_decay=self.settings.weight_decay,
        )

    def train_epoch(self, epoch):
        settings = self.settings
        self.optimizer.param_groups[0]["lr"] = learning_rate(
            epoch,
            base=settings.learning_rate,
            drops=settings.learning_rate_drops,
            warmup_epochs=settings.warmup_epochs,
        )
        order = sample_order(len(self.train), seed=settings.seed, epoch=epoch).tolist()
        self.network.train()
        losses, wrong, seen = [], 0, 0
        for images, labels in DataLoader(self.train, settings.batch_size, sampler=order, drop_last=True):
            self.optimizer.zero_grad()
            logits = self.network(images)
            if settings.loss == "mse":
                loss = nn.MSELoss()(logits, nn.functional.one_hot(labels, logits.shape[1]).to(self.dtype))
            else:
                loss = nn.CrossEntropyLoss()(logits, labels)
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item())
            wrong += (logits.argmax(1) != labels).sum().item()
            seen += len(labels)
        self.network.eval()
        images, labels = self.test
        with torch.no_grad():
            test_error = (self.network(images).argmax(1) != labels).double().mean().item()
        return np.mean(losses), wrong / seen, test_error


def distance(network, reference):
    """The largest difference of any parameter or buffer, relative to the largest value in it."""
    expected = reference.state_dict()
    return max(
        ((tensor.double() - expected[name]).abs().max() / expected[name].abs().max().clamp_min(1e-3)).item()
        for name, tensor in network.state_dict().items()
        if tensor.is_floating_point()
    )


@pytest.mark.parametrize("loss", ["mse", "ce"])
@pytest.mark.parametrize(("network", "comfortable"), [*((name, 2**31) for name in NETWORKS), ("densenet40", 0)])
def test_each_step_rounds_as_the_notebooks_does(network, loss, comfortable, monkeypatch):
    monkeypatch.setattr(_dense_block, "_COMFORTABLE", comfortable)  # at 0 a CPU trains dense blocks as a GPU does
    dataset = tiny_training.dataset(train=14, channels=3)  # one batch of 8 an epoch, and 6 examples dropped
    engine = start(dataset, network=network, network_options=NETWORKS[network], loss=loss)
    plain, exact = Notebook(engine, dataset, torch.float32), Notebook(engine, dataset, torch.float64)
    for epoch in range(1, engine.settings.epochs + 1):
        record = engine.train_epoch(epoch)
        plain.train_epoch(epoch)
        expected_loss, expected_error, expected_test_error = exact.train_epoch(epoch)
        assert distance(engine.network, exact.network) <= 8 * distance(plain.network, exact.network)
        assert record.train_loss == pytest.approx(expected_loss, rel=1e-4)
        assert record.train_error == expected_error
        assert record.test_error == pytest.approx(expected_test_error, abs=1.5 / 21)


def test_an_epoch_of_many_batches_follows_the_notebook():
    dataset = tiny_training.dataset()
    engine = start(dataset)
    exact = Notebook(engine, dataset, torch.float64)
    record = engine.train_epoch(1)
    loss, error, test_error = exact.train_epoch(1)
    # Batch norm over 8 numbers enlarges a rounding about tenfold a step.
    assert record.train_loss == pytest.approx(loss, rel=1e-2)
    assert record.train_error == pytest.approx(error, abs=1.5 / 40)
    assert record.test_error == pytest.approx(test_error, abs=1.5 / 21)


def test_same_seed_same_bytes_and_another_seed_another_training():
    first, second, other = start(), start(), start(seed=1)
    assert history(first) == history(second)
    assert all(np.array_equal(array, second.state()[name]) for name, array in first.state().items())
    assert history(other) != history(first)


def test_a_restored_training_goes_on_bit_by_bit():
    whole, interrupted = start(), start()
    expected = history(whole)
    records = [interrupted.train_epoch(epoch) for epoch in (1, 2, 3)]
    continued = start()
    continued.restore(interrupted.state())
    records += [continued.train_epoch(epoch) for epoch in (4, 5, 6)]
    assert records == expected
    assert all(np.array_equal(array, continued.state()[name]) for name, array in whole.state().items())


VARIED = {
    "batch_norm": False,
    "bottleneck": 2,
    "classifier": "fixed_etf",
    "classifier_bias": False,
    "normalise_features": True,
}


@pytest.mark.parametrize("loss", ["mse", "squentropy"])
@pytest.mark.parametrize("network", NETWORKS)
def test_a_varied_network_is_trained_kept_measured_and_attacked(network, loss, tmp_path):
    """Two features for three classes, a fixed simplex without bias: what the later layers are given at worst."""
    dataset = tiny_training.dataset()
    varied = {"network": network, "network_options": NETWORKS[network] | VARIED, "loss": loss}
    training, continued = start(dataset, **varied), start(dataset, **varied)
    fixed = training.network.classifier.weight.clone()
    training.train_epoch(1)
    continued.restore(training.state())
    training.train_epoch(2)
    continued.train_epoch(2)
    assert all(np.array_equal(array, continued.state()[name]) for name, array in training.state().items())
    assert torch.equal(training.network.classifier.weight, fixed)

    write_checkpoint(tmp_path / "00.safetensors", training.network, epoch=2, architecture=training.architecture)
    kept, measured = (load_network(tmp_path / "00.safetensors", dataset)[0] for _ in range(2))
    assert torch.equal(kept.classifier.weight, fixed)
    snapshots = take_snapshots(measured, dataset, loss, {}, seed=0, layers=True, batch_statistics=8, device="cpu")
    images = standardise(torch.from_numpy(dataset.train_images), dataset.mean, dataset.std)
    features = kept.features(images).detach()
    for split, snapshot in snapshots.items():
        measures = snapshot_measures(snapshot, loss=loss, weight_decay=0.005)
        assert all(np.isfinite(value) for value in measures.values()), (split, measures)
        assert measures["etf_error_classifier"] < 1e-6
        if split == "train":
            plain = collapse_measures(features, dataset.train_labels, fixed, weight_decay_lambda=3 / 2 * 0.005)
            for name in plain.keys() & measures.keys() - {"loss"}:
                assert measures[name] == pytest.approx(plain[name], rel=1e-4, abs=1e-6), name
    perturbations, _ = deepfool(kept, images[:4], iterations=5, overshoot=0.02)
    assert torch.isfinite(perturbations).all()


@pytest.mark.skipif(torch.cuda.is_available(), reason="on a GPU the precision does matter")
def test_a_cpu_trains_in_float32_whatever_is_asked():
    assert history(start(precision="bfloat16")) == history(start())


def test_a_checkpoint_gives_the_same_network_back(tmp_path):
    training = start()
    training.train_epoch(1)
    write_checkpoint(tmp_path / "00.safetensors", training.network, epoch=1, architecture=training.architecture)
    network, epoch = load_network(tmp_path / "00.safetensors")
    assert epoch == 1
    assert not network.training
    for name, tensor in training.network.state_dict().items():
        assert torch.equal(network.state_dict()[name], tensor.cpu()), name
        assert network.state_dict()[name].dtype == tensor.dtype


def test_a_checkpoint_that_does_not_fit_is_one_sentence(tmp_path):
    training = start()
    wider = training.architecture | {"options": {"width": 0.125}}
    write_checkpoint(tmp_path / "00.safetensors", training.network, epoch=1, architecture=wider)
    with pytest.raises(InputError, match="its arrays do not fit the network 'vgg11'"):
        load_network(tmp_path / "00.safetensors")


def test_divergence_is_an_error_of_one_sentence():
    with pytest.raises(DivergenceError, match=r"diverged in epoch 1: at learning rate 1e\+30 .* choose a smaller"):
        history(start(learning_rate=1e30, warmup_epochs=0))


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(InputError, match="batch_size: 64 is more than the 45 train images of data set 'squares'"):
        start(batch_size=64)


def test_where_no_graph_can_be_captured_one_warning_is_given_and_steps_are_eager(capsys):
    expected = history(start())
    training = start()
    training.captures = True

    def fail():
        tries.append(training.rate)
        for weights in training.weights:  # warming up
            weights.add_(1.0)
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nCompile with ...")

    tries, training._captured_step = [], fail
    assert history(training) == expected
    assert len(tries) == 1 and len({record.learning_rate for record in expected}) > 1
    warning = capsys.readouterr().err
    assert warning.startswith("warning: steps can't be captured as a CUDA graph (CUDA error: operation not permitted")
    assert warning.count("\n") == 1


def full_above(images, network):
    """A pretended GPU whose memory holds no more than so many images."""

    def check(module, inputs):
        if len(inputs[0]) > images:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    return network.register_forward_pre_hook(check)


def test_testing_takes_half_as_many_images_at_a_time_until_they_fit():
    expected, training = start(), start()
    full_above(10, training.network)  # of 21 test images; batches have 8
    records = history(training)
    assert training.tested_at_once == 10
    assert records == history(expected)


@pytest.mark.parametrize(
    ("images", "sentence"),
    [(5, "for a step of vgg11 on 8 images"), (0, "to test vgg11 on a single image")],
)
def test_out_of_memory_is_one_sentence_and_the_batch_stays(images, sentence):
    training = start()
    full_above(images, training.network)
    with pytest.raises(
        InputError, match=f"^the GPU has not enough memory {sentence}; let fewer jobs share it"
    ) as error:
        training.train_epoch(1) if images else training.test_error()
    assert "\n" not in str(error.value) and training.settings.batch_size == 8


def test_out_of_memory_for_the_images_is_one_sentence(monkeypatch):
    def full(*arguments):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(Training, "_resident", full)
    with pytest.raises(InputError, match="not enough memory for vgg11 and all images of data set 'squares'"):
        start()
