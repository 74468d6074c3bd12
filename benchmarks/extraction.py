"""Extraction of features and their moments against the passes of published notebooks, and what rounding costs NC1.

Last shown with --quick, on two cores of an AMD EPYC (Zen 4) virtual machine, one thread, torch 2.13.0, Python 3.11; no
GPU was at hand, so TF32 was not run, and bfloat16 by the CPU's autocast:

                           images/s: notebook    ours    ratio    floor of NC1: float32    bfloat16
    VGG11, width 1/8                     2332   12209      5.2                  1.5e-13      6.1e-05
    ResNet18, width 1/8                  4191   37495      8.9                  1.8e-13      1.3e-04
    DenseNet40, k = 4                    1943    8427      4.3                  3.1e-13      1.4e-04

Two runs before gave 3.2 and 3.6 for VGG11, 8.5 to 9.0 for ResNet18 and 4.4 for DenseNet40.

The notebook's way: two passes over both splits with a DataLoader and per-image transforms (no worker), batch 128, NCHW,
networks as published, every flag of torch as it is by default, features taken by a hook on the classifier; in the first
pass class means, in the second, class by class, the covariance within classes in float32. Ours: one pass in strict
float32 at batch 512, moments and spectrum in float64, with the measures of every example. Rounds are interleaved; the
table gives medians.

"Forward" is the network alone, on images that are already there; its share of the roofline is defined in training.py.

The last table is the floor that rounding in the forward pass puts under NC1: features are the class means of the
float64 network, so that NC1 would be zero, plus the differences of the same network in lower precision.

    PYTHONPATH=workflow python benchmarks/extraction.py [--quick] [--networks resnet18] [--rounds 3] [--threads 1]

Digits in place of MNIST: 8x8 with `--quick`, else enlarged to 32x32. Networks are trained for a few epochs first.
"""

import argparse
import copy
import statistics

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from training import (
    FULL,
    QUICK,
    Bound,
    Examples,
    as_published,
    default_flags,
    hardware,
    measured_limits,
    tiers,
    timed,
)

from neural_collapse import collapse_measures
from neural_collapse.config.settings import TrainingSettings
from neural_collapse.data.dataset import Dataset, standardise
from neural_collapse.data.preparation import RawDataset, load, prepare
from neural_collapse.device import prepare_device
from neural_collapse.features.extraction import take_snapshots
from neural_collapse.train.training import Training


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the quick study's sizes")
    parser.add_argument("--networks", nargs="+", choices=FULL, default=list(FULL))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of both ways")
    parser.add_argument("--epochs", type=int, default=8, help="of training before the measurement")
    options = parser.parse_args()

    device = prepare_device("float32", options.threads)
    print(hardware(device), flush=True)
    flops, bandwidth = measured_limits(device, "float32")
    print(f"limits: {flops / 1e9:.0f} GFLOP/s, {bandwidth / 1e9:.1f} GB/s", flush=True)
    dataset = digits(enlarged=not options.quick)
    for name in options.networks:
        network_options = (QUICK if options.quick else FULL)[name]
        settings = TrainingSettings(
            network=name,
            network_options=network_options,
            loss="mse",
            loss_options={},
            seed=0,
            epochs=options.epochs,
            batch_size=64,
            learning_rate=0.05,
            learning_rate_drops=[],
            warmup_epochs=0,
            momentum=0.9,
            weight_decay=5e-4,
            precision="float32",
            threads=options.threads,
        )
        training = Training(dataset, settings, device)
        for epoch in range(1, options.epochs + 1):
            training.train_epoch(epoch)
        compare(name, training.network.eval(), dataset, device, flops, bandwidth, options.rounds)
        floors(training.network, dataset, device)


def compare(name, network, dataset, device, flops, bandwidth, rounds) -> None:
    """Print the table of one network."""
    images = resident(dataset, device)[:512]
    plain = as_published(copy.deepcopy(network)).to(memory_format=torch.contiguous_format)
    ways = {
        "notebook, two passes": lambda: notebook(plain, dataset, device),
        "ours": lambda: take_snapshots(network, dataset, "mse", {}, seed=0, layers=False, device=device),
        "ours, forward": lambda: forward(network, images),
    }
    counts = dict.fromkeys(ways, len(dataset.train_images) + len(dataset.test_images)) | {"ours, forward": len(images)}
    seconds = {way: [] for way in ways}
    for repetition in range(rounds + 1):
        for way, action in ways.items():
            default_flags() if way.startswith("notebook") else prepare_device("float32", torch.get_num_threads())
            elapsed = timed(action, device)
            if repetition:  # the first round warms up
                seconds[way].append(elapsed)
    prepare_device("float32", torch.get_num_threads())
    with Bound(flops, bandwidth) as bound:
        forward(network, images)

    print(f"\n{name}, P = {network.classifier.in_features}, {dataset.train_images.shape[2]} pixels a side")
    print(f"{'':24}{'images/s':>10}{'ratio':>8}{'roofline':>10}")
    for way, times in seconds.items():
        speed = {other: counts[other] / statistics.median(seconds[other]) for other in (way, "notebook, two passes")}
        line = f"{way:24}{speed[way]:10.0f}{speed[way] / speed['notebook, two passes']:8.2f}"
        if way == "ours, forward":
            line += f"{bound.seconds / statistics.median(times):10.0%}"
        print(line, flush=True)


@torch.inference_mode()
def forward(network: torch.nn.Module, images: Tensor) -> Tensor:
    return network.features(images)


@torch.inference_mode()
def notebook(network: torch.nn.Module, dataset: Dataset, device: torch.device) -> None:
    """Class means and within-class covariance of both splits, as notebooks compute them."""
    taken = []
    hook = network.classifier.register_forward_hook(lambda module, inputs, output: taken.append(inputs[0].clone()))
    classes = len(dataset.class_names)
    for images, labels in (
        (dataset.train_images, dataset.train_labels),
        (dataset.test_images, dataset.test_labels),
    ):
        loader = DataLoader(Examples(images, labels, dataset.mean, dataset.std), batch_size=128)
        means, covariance, seen = [0.0] * classes, 0.0, [0] * classes
        for computation in ("mean", "covariance"):
            for batch, truth in loader:
                network(batch.to(device))
                features = taken.pop()
                for class_ in range(classes):
                    of_class = features[(truth == class_).to(device)]
                    if computation == "mean":
                        means[class_] = means[class_] + of_class.sum(0)
                        seen[class_] += len(of_class)
                    else:
                        residuals = of_class - means[class_]
                        products = torch.matmul(residuals.unsqueeze(-1), residuals.unsqueeze(1))
                        covariance = covariance + products.sum(0) / len(labels)
            if computation == "mean":
                means = [total / count for total, count in zip(means, seen, strict=True)]
    hook.remove()


@torch.inference_mode()
def floors(network: torch.nn.Module, dataset: Dataset, device: torch.device) -> None:
    """Print NC1 of features that would have collapsed, but for the rounding of the forward pass."""
    images = resident(dataset, device)
    labels = torch.from_numpy(dataset.train_labels).to(device)
    exact = copy.deepcopy(network).double().features(images.double())
    classes = len(dataset.class_names)
    means = torch.stack([exact[labels == class_].mean(0) for class_ in range(classes)])
    for precision in [*tiers(device), *([] if device.type == "cuda" else ["bfloat16"])]:
        prepare_device(precision, torch.get_num_threads())
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            rounded = network.features(images).double()
        collapsed = means[labels] + rounded - exact
        weight, bias = network.classifier.weight, network.classifier.bias
        floor = collapse_measures(collapsed, labels, weight.detach(), bias.detach())["nc1"]
        print(f"floor of NC1 in {precision}: {floor:.1e}", flush=True)


def resident(dataset: Dataset, device: torch.device) -> Tensor:
    pixels = torch.from_numpy(dataset.train_images).to(device, memory_format=torch.channels_last)
    return standardise(pixels, dataset.mean, dataset.std)


def digits(*, enlarged: bool) -> Dataset:
    raw = load("digits")
    if enlarged:
        images = np.repeat(np.repeat(raw.train_images, 4, axis=2), 4, axis=3)
        raw = RawDataset(images, raw.train_labels, raw.test_images, raw.test_labels, raw.class_names)
    return prepare(raw, name="digits", train_per_class=140, padding=0, seed=0)


if __name__ == "__main__":
    main()
