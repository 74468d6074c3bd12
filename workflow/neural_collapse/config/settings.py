"""The settings of a training, each stated once: its default, its bounds and its words.

The configuration's schema, the flags of the command line and the identity of a training all come from this table, so
a new setting is one line here (and its use in the training).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any


def _setting(description: str, default: Any = None, **schema: Any) -> Any:
    """A field whose value must satisfy a JSON schema."""
    about = {"description": description, **schema}
    return field(metadata=about if default is None else about | {"default": default})


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """Everything that decides a training but the data. The defaults are the paper's protocol (HPD, appendix A.1)."""

    network: str
    network_options: dict[str, float]
    loss: str
    seed: int
    epochs: int = _setting("Passes over the training set.", 350, type="integer", minimum=1, maximum=1_000_000)
    batch_size: int = _setting(
        "Examples a step; an incomplete last batch is dropped.", 128, type="integer", minimum=2, maximum=1_000_000
    )
    learning_rate: float = _setting(
        "The learning rate before any drop, or `sweep` for the best of the study's sweep.",
        "sweep",
        oneOf=[{"type": "number", "exclusiveMinimum": 0}, {"const": "sweep"}],
    )
    learning_rate_drops: list[int] = _setting(
        "Epochs after which the learning rate drops tenfold; by default a third and two thirds of the epochs.",
        type="array",
        items={"type": "integer", "minimum": 1},
    )
    warmup_epochs: int = _setting(
        "Epochs over which the learning rate rises linearly to its full value. The paper has none.",
        0,
        type="integer",
        minimum=0,
    )
    momentum: float = _setting(
        "The momentum of stochastic gradient descent.", 0.9, type="number", minimum=0, exclusiveMaximum=1
    )
    weight_decay: float = _setting(
        "The weight decay of stochastic gradient descent, on all parameters.", 0.0005, type="number", minimum=0
    )
    loss_options: dict[str, float] = _setting(
        "Options of the loss, such as `target_weight` and `target_value` of `scaled_mse`.",
        {},
        type="object",
        additionalProperties={"type": "number"},
    )
    precision: str = _setting(
        "Arithmetic of training on a GPU (a CPU always computes in float32). Measuring is always float32.",
        "tf32",
        enum=["float32", "tf32", "bfloat16"],
    )
    threads: int = _setting(
        "CPU threads of one training; part of the result, because the order of sums depends on it.",
        1,
        type="integer",
        minimum=1,
        maximum=1024,
    )


def training_schema() -> dict[str, dict[str, Any]]:
    """The JSON schema of each setting that config.yaml may give, by name."""
    return {entry.name: dict(entry.metadata) for entry in fields(TrainingSettings) if entry.metadata}


def default_drops(epochs: int) -> list[int]:
    """The epochs after which the learning rate drops in the paper's protocol: a third and two thirds of the way.

    Two epochs of training leave room for one drop, and a single one for none.
    """
    return sorted({epochs // 3, 2 * epochs // 3} - {0})
