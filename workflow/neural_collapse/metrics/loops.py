"""Measures within a training loop of one's own: of a model and a loader of its data."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DistributedSampler

from ..config.names import UNKNOWN
from ..errors import InputError
from ..features.files import Dump, Split
from .files import measure_dump


def measure(
    model: nn.Module,
    train_loader: Iterable[Any],
    test_loader: Iterable[Any] | None = None,
    classifier: str | nn.Linear | None = None,
    *,
    loss: str = UNKNOWN,
    weight_decay_lambda: float = 0.0,
) -> dict[str, float]:
    """All measures of neural collapse, of a model and its data: of what its last linear layer is given.

    The model computes in eval mode, without gradients, on the device where it is, and is left as it was. All features
    of a split are in memory at once, 4 N P bytes; `CollapseAccumulator` and `CollapseMetric` keep none.

    Parameters
    ----------
    model: any network that ends in a linear layer.
    train_loader, test_loader: give batches: pairs of inputs and labels, or tables with `labels` whose other entries are
        the model's keywords. Of the train split, best without augmentation.
    classifier: the last linear layer, or its name in the model, such as "fc"; by default the last nn.Linear that is
        registered.
    loss, weight_decay_lambda: see `measure_files`.

    Returns
    -------
    Name -> value, as `collapse_measures`; with a `test_loader` those of the test split too, each name after `test_`.

    Raises
    ------
    InputError
        In one sentence: where there is no such layer or it isn't called once a batch, batches are of another kind, a
        loader holds a part of the data alone, or features can't be measured.
    """
    layer = _classifier(model, classifier)
    loaders = {"train": train_loader} | ({} if test_loader is None else {"test": test_loader})
    splits = {}
    for split, loader in loaders.items():
        sampler = getattr(loader, "sampler", None)
        if isinstance(sampler, DistributedSampler) and sampler.num_replicas > 1:
            raise InputError(
                f"{split}_loader: its DistributedSampler gives each of {sampler.num_replicas} processes a part of the "
                "data and repeats some; give one process a loader of all, or use CollapseMetric, and a sampler without "
                "repeats."
            )
        splits[split] = _features(model, layer, loader, f"{split}_loader")
    weight = _host(layer.weight)
    bias = None if layer.bias is None else _host(layer.bias)
    measured = measure_dump(Dump("the model", 0, splits, weight, bias), loss, weight_decay_lambda)
    return measured["train"] | {f"test_{name}": value for name, value in measured.get("test", {}).items()}


def _classifier(model: nn.Module, classifier: str | nn.Linear | None) -> nn.Linear:
    linear = {name: module for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    if isinstance(classifier, nn.Linear):
        return classifier
    name = classifier if classifier is not None else next(reversed(linear), "")
    if name not in linear:
        known = ", ".join(list(linear)[-5:]) or "none"
        raise InputError(f"classifier: the model has no linear layer named '{name}'; the last that it has: {known}.")
    return linear[name]


@torch.no_grad()
def _features(model: nn.Module, layer: nn.Linear, loader: Iterable[Any], where: str) -> Split:
    features: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    device = next(model.parameters()).device
    seen: list[Tensor] = []
    with _evaluating(model), _watching(layer, seen):
        for batch in loader:
            seen.clear()
            inputs, truth = _taken_apart(batch, where)
            model(**_moved(inputs, device)) if isinstance(inputs, Mapping) else model(_moved(inputs, device))
            if len(seen) != 1 or seen[0].ndim != 2 or len(seen[0]) != len(truth):
                found = ", ".join(str(tuple(values.shape)) for values in seen) or "nothing"
                raise InputError(
                    f"classifier: must be given features (N, P) once for a batch of {len(truth)} labels, found "
                    f"{found}; name the last linear layer."
                )
            features.append(_host(seen[0]))
            labels.append(np.asarray(truth.cpu() if isinstance(truth, Tensor) else truth))
    if not features:
        raise InputError(f"{where}: it gives no batch.")
    truth = np.concatenate(labels)
    if truth.ndim != 1 or truth.dtype.kind not in "iu":
        raise InputError(f"{where}: labels must be whole numbers (N,), found {truth.dtype} {truth.shape}.")
    return Split(np.concatenate(features), truth)


def _taken_apart(batch: Any, where: str) -> tuple[Any, Any]:
    if isinstance(batch, Mapping) and (name := next((n for n in ("labels", "label") if n in batch), None)):
        return {key: value for key, value in batch.items() if key != name}, batch[name]
    if isinstance(batch, tuple | list) and len(batch) == 2:
        return batch[0], batch[1]
    raise InputError(
        f"{where}: a batch must be a pair of inputs and labels, or a table with labels, found {type(batch)}."
    )


def _moved(inputs: Any, device: torch.device) -> Any:
    if isinstance(inputs, Mapping):
        return {name: _moved(value, device) for name, value in inputs.items()}
    return inputs.to(device, non_blocking=True) if isinstance(inputs, Tensor) else inputs


def _host(values: Tensor) -> np.ndarray:
    values = values.detach()
    return (values if values.dtype in (torch.float32, torch.float64) else values.float()).cpu().numpy()


@contextlib.contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode, and afterwards that which each module was in: some may be frozen."""
    training = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, was in training.items():
            module.training = was


@contextlib.contextmanager
def _watching(layer: nn.Module, seen: list[Tensor]) -> Iterator[None]:
    """Put what a layer is given into a list."""
    hook = layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    try:
        yield
    finally:
        hook.remove()
