"""A training small enough for tests: 8x8 pictures of two squares in noise, and VGG11 at a sixteenth of its width."""

import numpy as np

from neural_collapse.config.settings import TrainingSettings
from neural_collapse.data.dataset import Dataset


def dataset(train=45, test=21, channels=1, seed=0):
    """Three classes by the place of a bright square; `train` and `test` examples, deliberately no whole batches."""
    generator = np.random.default_rng(seed)
    labels = np.arange(train + test) % 3
    images = generator.integers(0, 120, (train + test, channels, 8, 8), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[:, 2 * label : 2 * label + 3, 2 * label : 2 * label + 3] += 100
    pixels = images[:train] / 255
    return Dataset(
        name="squares",
        train_images=images[:train],
        train_labels=labels[:train],
        test_images=images[train:],
        test_labels=labels[train:],
        class_names=("a", "b", "c"),
        mean=pixels.mean((0, 2, 3)),
        std=pixels.std((0, 2, 3)),
    )


def settings(**changed):
    common = {
        "network": "vgg11",
        "network_options": {"width": 0.0625},
        "loss": "mse",
        "loss_options": {},
        "epochs": 6,
        "batch_size": 8,
        "learning_rate": 0.05,
        "learning_rate_drops": [3, 5],
        "warmup_epochs": 1,
        "momentum": 0.9,
        "weight_decay": 5e-3,
        "precision": "float32",
        "seed": 0,
        "threads": 1,
    }
    return TrainingSettings(**common | changed)


def flags(settings):
    """The settings as flags of `train` and `try-learning-rate`."""
    words = []
    for name, value in vars(settings).items():
        if isinstance(value, dict):
            value = [f"{key}={item}" for key, item in value.items()]
        values = value if isinstance(value, list) else [value]
        words += [f"--{name.replace('_', '-')}", *map(str, values)]
    return words
