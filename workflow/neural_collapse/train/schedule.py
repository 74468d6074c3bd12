"""What happens at which epoch: the learning rate, and which epochs are measured. Epochs count from 1."""

import math

from ..errors import InputError


def learning_rate(epoch: int, *, base: float, drops: list[int], warmup_epochs: int = 0) -> float:
    """The learning rate of one epoch: a linear warm-up to `base`, then a tenfold drop after each epoch of `drops`."""
    warmup = min(1.0, epoch / (warmup_epochs + 1))
    return base * warmup * 0.1 ** sum(epoch > drop for drop in drops)


def measured_epochs(epochs: int, count: int) -> list[int]:
    """`count` different epochs in 1..`epochs`, spaced evenly on a logarithmic axis as far as whole numbers allow.

    Always holds the first and the last epoch; dense at the start (1, 2, 3, ...), where a logarithmic spacing would
    name the same epoch twice.

    Raises
    ------
    InputError
        Where there are fewer epochs than `count`.
    """
    if not 1 <= count <= epochs:
        raise InputError(f"measured_epochs: {count} epochs can't be measured in {epochs} epochs of training.")
    if count == 1:
        return [epochs]
    # Each epoch is the one before times a ratio, or plus one where that is more; bisect for the ratio that ends at
    # `epochs`. Steps of at least one stay different when rounded down.
    low, high = 1.0, float(epochs)
    for _ in range(100):
        ratio = (low + high) / 2
        spaced = [1.0]
        while len(spaced) < count:
            spaced.append(max(spaced[-1] + 1, spaced[-1] * ratio))
        low, high = (low, ratio) if spaced[-1] > epochs else (ratio, high)
    return [math.floor(epoch) for epoch in spaced[:-1]] + [epochs]
