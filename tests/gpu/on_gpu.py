"""What the tests on a GPU share: why they are skipped, data worth a batch of 64, and the eager twin of a training."""

import sys
from pathlib import Path

import pytest
import torch

# Their data and their references are those of the unit tests.
sys.path.append(str(Path(__file__).parents[1] / "unit"))

import tiny_training
from test_training import start

from neural_collapse.features.extraction import take_snapshots
from neural_collapse.metrics.measures import snapshot_measures

NEEDS_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU that torch computes on (CUDA)")

PRECISIONS = ["float32", "tf32", "bfloat16"]
DATASET = tiny_training.dataset(train=640, test=120)
# Ten steps an epoch; a rate of its own in epochs 1 (warm-up), 2 and 3, 4, and 5.
SETTINGS = {"epochs": 5, "batch_size": 64, "learning_rate": 0.02, "learning_rate_drops": [3, 4], "warmup_epochs": 1}


def captured(**changed):
    """A training as jobs have it: on a GPU its steps are CUDA graphs."""
    return start(DATASET, **SETTINGS | changed)


def eager(**changed):
    """The same training, that captures nothing."""
    training = captured(**changed)
    training._captured_step = lambda: training.eager_step
    return training


def deviation(found, expected):
    """The largest difference between two states, each array's relative to its largest value."""
    assert found.keys() == expected.keys()
    return max(abs(found[name] - array).max() / max(abs(array).max(), 1e-3) for name, array in expected.items())


def measures(network, split="train", device=None, dataset=DATASET):
    """What the pipeline measures of a network, in strict float32 and float64 statistics."""
    device = device or next(network.parameters()).device
    taken = take_snapshots(network.eval(), dataset, "mse", {}, seed=0, layers=False, device=device)
    return snapshot_measures(taken[split], loss="mse", weight_decay=5e-3)
