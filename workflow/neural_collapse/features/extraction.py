"""What a network makes of a data set, reduced to what the measures need of it (`moments.Snapshot`)."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ..data.dataset import Dataset, standardise
from ..train.losses import loss_function
from .accumulation import CollapseAccumulator
from .moments import BatchStatistics, Layer, Moments, Sample, Snapshot, example_measures, nearest_centres
from .out_of_distribution import Outlook, along_axes

_BATCH = 512  # images, and examples in float64, at a time
SAMPLE_SIZE = 1000  # examples of each split kept one by one (`moments.Sample`)


@torch.inference_mode()
def take_snapshots(
    network: torch.nn.Module,
    dataset: Dataset,
    loss: str,
    loss_options: dict[str, float],
    *,
    seed: int,
    layers: bool,
    batch_statistics: int | None = None,
    device: torch.device | str,
) -> dict[str, Snapshot]:
    """Reduce the features of both splits, "train" and "test", to snapshots.

    All features of a split are in memory at once, because their nearest class centres are known last: up to 8 N P bytes
    on the device and 4 N P on the host, and as much for every inner layer.

    Parameters
    ----------
    network: a `networks.Network` in eval mode; it is moved to the device.
    loss, loss_options: what it was trained on (`losses.loss_function`).
    seed: chooses the sample of at most 1,000 examples of each split.
    layers: whether to reduce the pooled activations at the end of each inner stage, too.
    batch_statistics: the size of the batches by whose statistics batch norm makes the train split's features once
        more, as in training; None leaves that out.
    device: one that has float64.

    Raises
    ------
    InputError
        Where a split has no example of some class, and where features are not finite.
    """
    network = network.to(device, memory_format=torch.channels_last)
    weight = _host(network.classifier.weight.double())
    bias = None if network.classifier.bias is None else _host(network.classifier.bias.double())
    splits = {
        "train": (dataset.train_images, dataset.train_labels),
        "test": (dataset.test_images, dataset.test_labels),
    }
    batches = _batch_statistics(network, dataset, weight, batch_statistics, seed=seed, device=device)
    streams = np.random.SeedSequence(seed).spawn(len(splits))
    snapshots: dict[str, Snapshot] = {}
    for (split, (images, labels)), stream in zip(splits.items(), streams, strict=True):
        counts = np.bincount(labels, minlength=len(weight))
        activations = _activations(network, images, dataset, layers=layers, device=device)
        spectra = {name: _spectral_moments(values, labels, counts) for name, values in activations.items()}
        if split == "train":
            centres = {name: moments.class_means @ axes.T for name, (moments, axes) in spectra.items()}

        moments, axes = spectra.pop("features")
        features = activations.pop("features")
        logits = _logits(features, network.classifier)
        features, decided = _host(features), _host(logits.argmax(1))
        examples = example_measures(
            features, labels, centres["features"], weight, np.zeros(len(weight)) if bias is None else bias
        )
        if split == "train" and dataset.true_train_labels is not None:
            examples |= _noise_measures(decided, labels, dataset.true_train_labels)
        chosen = np.random.default_rng(stream).choice(len(labels), min(len(labels), SAMPLE_SIZE), replace=False)
        snapshots[split] = Snapshot(
            class_counts=counts,
            moments=moments,
            weight=weight @ axes,
            bias=bias,
            train_means=None if split == "train" else centres["features"] @ axes,
            examples=examples,
            class_losses=_class_losses(logits, labels, loss_function(loss, **loss_options)),
            sample=_sample(features, labels, np.sort(chosen), moments.class_means @ axes.T, weight),
            layers={
                name: Layer(
                    layer_moments,
                    float((decided != nearest_centres(_host(activations[name]), centres[name])).mean()),
                )
                for name, (layer_moments, _) in spectra.items()
            },
            batch_statistics=batches if split == "train" else None,
        )
    return snapshots


@torch.inference_mode()
def look_outside(
    network: torch.nn.Module, dataset: Dataset, outside: dict[str, np.ndarray], *, device: torch.device | str
) -> Outlook:
    """Keep what a network makes of every image of its own data and of others.

    Parameters
    ----------
    network: a `networks.Network` in eval mode; it is moved to the device.
    dataset: that it was trained on, by whose mean and standard deviation all images are standardised.
    outside: images by the name of their data set, uint8 (N, C, H, W) or features float32 (N, P, 1, 1) as `dataset`'s.
    device: one that has float64.
    """
    network = network.to(device, memory_format=torch.channels_last)
    classifier = network.classifier
    images = {"train": dataset.train_images, "test": dataset.test_images} | outside
    features = {
        name: _host(_activations(network, of, dataset, layers=False, device=device)["features"])
        for name, of in images.items()
    }
    bias = None if classifier.bias is None else _host(classifier.bias.double())
    return along_axes(features, dataset.train_labels, _host(classifier.weight.double()), bias)


def _batch_statistics(
    network: torch.nn.Module,
    dataset: Dataset,
    weight: np.ndarray,
    batch_size: int | None,
    *,
    seed: int,
    device: torch.device | str,
) -> BatchStatistics | None:
    """What batch norm in train mode makes of the train split, in batches drawn by seed; the network stays as it is."""
    norms = [module for module in network.modules() if isinstance(module, torch.nn.modules.batchnorm._BatchNorm)]
    if batch_size is None or not norms:
        return None
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}  # running statistics move in train mode
    for module in norms:
        module.train()
    order = np.random.default_rng(seed).permutation(len(dataset.train_labels))
    batches = []
    for start in range(0, len(order), batch_size):
        new = len(order[start : start + batch_size])
        # The last batch is filled up with examples that were seen: training has no smaller batches.
        chosen = order[max(0, start + new - batch_size) : start + new]
        images = torch.from_numpy(dataset.train_images[chosen]).to(device, memory_format=torch.channels_last)
        batches.append(network.features(standardise(images, dataset.mean, dataset.std))[-new:])
    for module in norms:
        module.eval()
    for name, buffer in network.named_buffers():
        buffer.copy_(before[name])
    labels = dataset.train_labels[order]
    moments, axes = _spectral_moments(torch.cat(batches), labels, np.bincount(labels, minlength=len(weight)))
    return BatchStatistics(moments, weight @ axes)


def _activations(
    network: torch.nn.Module, images: np.ndarray, dataset: Dataset, *, layers: bool, device: torch.device | str
) -> dict[str, Tensor]:
    """Last-layer features (N, P), as "features", and with `layers` those of the inner stages before them, float32."""
    batches: dict[str, list[Tensor]] = {}
    for start in range(0, len(images), _BATCH):
        batch = torch.from_numpy(images[start : start + _BATCH]).to(device, memory_format=torch.channels_last)
        batch = standardise(batch, dataset.mean, dataset.std)
        if layers:
            stages = network.layers(batch)
            stages["features"] = stages.pop(list(stages)[-1])
        else:
            stages = {"features": network.features(batch)}
        for name, values in stages.items():
            batches.setdefault(name, []).append(values)
    return {name: torch.cat(values) for name, values in batches.items()}


def _spectral_moments(activations: Tensor, labels: np.ndarray, counts: np.ndarray) -> tuple[Moments, np.ndarray]:
    """Spectral moments of activations (N, p), and the axes of their coordinates as columns (p, p)."""
    accumulator = CollapseAccumulator(counts, activations.shape[1], device=activations.device)
    for values, truth in zip(activations.split(_BATCH), torch.from_numpy(labels).split(_BATCH), strict=True):
        accumulator.update(values, truth)
    moments, axes = accumulator.spectral_moments()
    return moments, _host(axes)


def _logits(features: Tensor, classifier: torch.nn.Linear) -> Tensor:
    """W h + b in float64, (N, C)."""
    weight = classifier.weight.double()
    bias = 0.0 if classifier.bias is None else classifier.bias.double()
    return torch.cat([values.double() @ weight.T + bias for values in features.split(_BATCH)])


def _noise_measures(decided: np.ndarray, labels: np.ndarray, true_labels: np.ndarray) -> dict[str, float]:
    """Errors of the classes that were decided, (N,), apart for examples with a wrong label and for the others."""
    noisy = labels != true_labels
    return {
        "error__noisy": float((decided != labels)[noisy].mean()),
        "error__noisy_true": float((decided != true_labels)[noisy].mean()),
        "error__clean": float((decided != labels)[~noisy].mean()),
    }


def _class_losses(logits: Tensor, labels: np.ndarray, loss: Callable[[Tensor, Tensor], Tensor]) -> np.ndarray:
    """The mean of a loss over the examples of each class, (C,) float64."""
    truth = torch.from_numpy(labels).to(logits.device)
    members = (truth == class_ for class_ in range(logits.shape[1]))
    return np.array([loss(logits[of_class], truth[of_class]).item() for of_class in members])


def _sample(
    features: np.ndarray, labels: np.ndarray, chosen: np.ndarray, class_means: np.ndarray, weight: np.ndarray
) -> Sample:
    """The chosen examples' coordinates along an orthonormal basis of centred class means and rows of W."""
    centred_means = class_means - class_means.mean(0)
    basis, _ = np.linalg.qr(np.vstack([centred_means, weight]).T)
    centred = features[chosen] - class_means.mean(0)
    coordinates = centred @ basis
    return Sample(
        examples=chosen,
        labels=labels[chosen],
        coordinates=coordinates,
        distances=np.linalg.norm(centred - coordinates @ basis.T, axis=1),
        class_means=centred_means @ basis,
        weight=weight @ basis,
    )


def _host(tensor: Tensor) -> np.ndarray:
    return tensor.cpu().numpy()
