"""Measures of a stream of features over any number of processes: `CollapseAccumulator` as a torchmetrics.Metric."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from .. import vision  # noqa: F401 (torchmetrics imports torchvision)
from ..errors import InputError
from ..features.accumulation import CollapseAccumulator
from .decomposition import decompose_loss
from .measures import geometry_measures

try:
    from torchmetrics import Metric
except ModuleNotFoundError:
    raise ImportError("CollapseMetric needs the package torchmetrics; `pip install torchmetrics`.") from None


class CollapseMetric(Metric):
    """The measures of `geometry_measures` and `decompose_loss`, of features that come in batches, on all processes.

        metric = CollapseMetric([5000] * 10, model.fc).to(device)
        for features, labels in batches:      # of this process
            metric.update(features, labels)
        measures = metric.compute()           # of all processes, on each

    The moments of the processes are merged as those of batches are (`CollapseAccumulator.merge`): exactly, up to
    rounding. Every example must come once. A `DistributedSampler` repeats some so that all processes have as many:
    `compute` refuses what is more than was announced; `Subset(data, range(rank, len(data), processes))` repeats none.

    Parameters
    ----------
    class_counts: how many examples of each class will have come at the end, on all processes together, (C,).
    classifier: the last linear layer, whose weight and bias are read at `compute`.
    weight_decay_lambda: see `collapse_measures`.
    options: of torchmetrics.Metric.
    """

    full_state_update = False
    is_differentiable = False

    def __init__(
        self,
        class_counts: Sequence[int] | Tensor,
        classifier: nn.Linear,
        *,
        weight_decay_lambda: float = 0.0,
        **options: Any,
    ):
        super().__init__(**options)
        self._classifier = [classifier]  # in a list, for a module of the metric would be moved and saved with it
        self._weight_decay_lambda = weight_decay_lambda
        self._sums = CollapseAccumulator(class_counts, classifier.in_features)
        self._states = [name for name, value in vars(self._sums).items() if isinstance(value, Tensor)]
        for name in self._states:
            # Not reduced one by one: each process's sums are gathered side by side, and merged.
            self.add_state(f"sums{name}", getattr(self._sums, name), dist_reduce_fx=None)

    def update(self, features: Tensor, labels: Tensor) -> None:
        """Add examples: features (n, P), what the classifier is given, and labels (n,), integers 0..C-1."""
        sums = self._with({name: getattr(self, f"sums{name}") for name in self._states})
        sums.update(features.detach(), labels)
        for name in self._states:
            setattr(self, f"sums{name}", getattr(sums, name))

    def forward(self, *arguments: Any, **keywords: Any) -> None:
        """Add examples; one batch alone, whose classes are not whole, has no measures."""
        self.update(*arguments, **keywords)

    def compute(self) -> dict[str, float]:
        """The measures of all that has come.

        Raises
        ------
        InputError
            Where other examples have come than were announced.
        """
        parts = {name: getattr(self, f"sums{name}") for name in self._states}
        if any(parts[name].ndim > getattr(self._sums, name).ndim for name in self._states):
            processes = len(parts[self._states[0]])
            first, *others = (
                self._with({name: values[rank] for name, values in parts.items()}) for rank in range(processes)
            )
        else:
            first, others = self._with(parts), []
        first = copy.deepcopy(first)  # the states stay those of this process
        for other in others:
            first.merge(other)
        try:
            moments = first.moments()
        except InputError as error:
            raise InputError(
                f"{error} A DistributedSampler that repeats examples is one cause: use a sampler that gives each once."
            ) from None
        [classifier] = self._classifier
        weight, bias = (
            None if values is None else values.detach().double().cpu().numpy()
            for values in (classifier.weight, classifier.bias)
        )
        terms = decompose_loss(moments, weight, bias, self._weight_decay_lambda)
        return geometry_measures(moments, weight, bias) | terms

    def _with(self, state: dict[str, Tensor]) -> CollapseAccumulator:
        """An accumulator with this state."""
        sums = copy.copy(self._sums)
        vars(sums).update(state)
        return sums
