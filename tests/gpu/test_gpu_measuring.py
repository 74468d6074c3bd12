"""Measuring on a GPU against measuring on the CPU, of the same network."""

import copy

import numpy as np
import pytest
import torch
from on_gpu import DATASET, NEEDS_GPU, captured, measures
from test_training import NETWORKS, history

from neural_collapse.data.dataset import standardise
from neural_collapse.device import prepare_device
from neural_collapse.metrics.adversarial import deepfool, least_perturbations, nearest_other, perturbation_sizes

pytestmark = NEEDS_GPU

COUNTED = {"error", "error__class_weighted", "ncc_mismatch"}  # shares of examples, one of which may lie on the boundary


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    """A network trained on the GPU, in eval mode."""
    training = captured(network=request.param, network_options=NETWORKS[request.param])
    history(training)
    prepare_device("float32", threads=1)
    return training.network.eval().requires_grad_(False)


@pytest.fixture
def images(network):
    device = next(network.parameters()).device
    pixels = torch.from_numpy(DATASET.test_images[:40]).to(device, memory_format=torch.channels_last)
    return standardise(pixels, DATASET.mean, DATASET.std)


@pytest.mark.parametrize("split", ["train", "test"])
def test_extraction_measures_what_the_cpu_measures(network, split):
    here = measures(network, split)
    there = measures(copy.deepcopy(network), split, torch.device("cpu"))
    assert here.keys() == there.keys() and len(here) > 20
    examples = len(getattr(DATASET, f"{split}_labels"))
    for name, value in there.items():
        counted = name in COUNTED or name.endswith(("error", "mismatch"))
        allowed = {"abs": 2.5 / examples} if counted else {"rel": 1e-3, "abs": 1e-6}
        assert here[name] == pytest.approx(value, nan_ok=True, **allowed), name


def test_deepfool_finds_what_it_finds_on_the_cpu(network, images):
    sizes = []
    for device in (images.device, torch.device("cpu")):
        placed, points = copy.deepcopy(network).to(device), images.to(device)
        perturbations, fooled = deepfool(placed, points, iterations=30, overshoot=0.02)
        changed = placed(points + perturbations).argmax(1) != placed(points).argmax(1)
        assert torch.equal(changed[fooled], fooled[fooled])
        norms = perturbations.double().flatten(1).norm(dim=1) / points.double().flatten(1).norm(dim=1)
        sizes.append(norms.masked_fill(~fooled, np.inf).cpu().numpy())
    # A boundary may be crossed a step sooner or later, and another class's boundary be as near.
    assert np.isclose(*sizes, rtol=1e-2).mean() >= 0.9
    assert np.median(sizes[0]) == pytest.approx(np.median(sizes[1]), rel=1e-2)


def test_the_least_perturbations_and_their_yardstick_are_those_of_the_cpu(network, images):
    found = []
    labels = torch.from_numpy(DATASET.test_labels[:40])
    others, truth = torch.from_numpy(DATASET.train_images), torch.from_numpy(DATASET.train_labels)
    for device in (images.device, torch.device("cpu")):
        placed, points = copy.deepcopy(network).to(device), images.to(device)
        batch = standardise(others.to(device), DATASET.mean, DATASET.std)
        first, _ = deepfool(placed, points, iterations=30, overshoot=0.02)
        least, fooled = least_perturbations(placed, points, first, [batch])
        assert fooled.all()
        yardstick = nearest_other(points, labels.to(device), [(batch, truth.to(device))])
        found.append((perturbation_sizes(points, least, fooled).mean().item(), yardstick))
    (here, yardstick), (there, expected) = found
    assert here == pytest.approx(there, rel=2e-2)
    assert yardstick == pytest.approx(expected, rel=1e-6)
