"""Measure neural collapse: in the moments of a run (.safetensors), or in anyone's features (.npz)."""

import argparse
import json
import math
from collections.abc import Iterable
from pathlib import Path

from ..config.declarations import known_losses
from ..errors import InputError
from ..features.moments import read_snapshots
from ..metrics.measures import collapse_measures, snapshot_measures
from ..metrics.tables import RunKey, write_measures
from ..npz import read_npz
from ._options import setting

_OF_RUN = ("dataset", "network", "loss", "seed", "weight_decay", "output")
_OF_ANYONE = ("weight_decay_lambda", "json")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="a file of extract-features, or .npz: features, labels, weight, bias")
    run = parser.add_argument_group("of a run, all needed")
    run.add_argument("--dataset", type=setting("name"), help="for the table: the run's data set, ...")
    run.add_argument("--network", type=setting("name"), help="... its network, ...")
    run.add_argument("--loss", help="... its loss, which also decides what is measured, ...")
    run.add_argument("--seed", type=setting("seed"), help="... and its seed")
    run.add_argument("--weight-decay", type=float, help="the weight decay of SGD, a C/2-th of the loss's lambda")
    run.add_argument("--output", type=Path, help="the measures at each epoch (CSV)")
    anyone = parser.add_argument_group("of anyone's features")
    anyone.add_argument("--weight-decay-lambda", type=float, help="lambda of the loss, 0 if left out")
    anyone.add_argument("--json", action="store_true", default=None, help="print JSON instead of a table")


def run(options: argparse.Namespace) -> None:
    if options.file.suffix == ".npz":
        if misplaced := _flags(name for name in _OF_RUN if getattr(options, name) is not None):
            raise InputError(
                f"{options.file}: {misplaced} would be for a file of extract-features; features in .npz take "
                "--weight-decay-lambda (C/2 times SGD's weight decay) and --json, and their measures are printed."
            )
        _measure_features(options)
    else:
        if misplaced := _flags(name for name in _OF_ANYONE if getattr(options, name) is not None):
            raise InputError(
                f"{options.file}: {misplaced} would be for features in .npz; a run takes --weight-decay, and its "
                "measures go to --output."
            )
        _measure_run(options)


def _measure_run(options: argparse.Namespace) -> None:
    if missing := _flags(name for name in _OF_RUN if getattr(options, name) is None):
        raise InputError(f"{options.file}: measuring a run needs {missing} (and a name in .npz, features).")
    losses = known_losses()
    if options.loss not in losses:
        raise InputError(f"--loss: no loss named '{options.loss}'; known: {', '.join(losses)}.")
    if not 0 <= options.weight_decay < math.inf:
        raise InputError(f"--weight-decay: must be a number of at least 0, found {options.weight_decay}.")
    run = RunKey(options.dataset, options.network, options.loss, options.seed)
    values = [
        (epoch, split, measure, value)
        for epoch, split, snapshot in read_snapshots(options.file)
        for measure, value in snapshot_measures(snapshot, loss=options.loss, weight_decay=options.weight_decay).items()
    ]
    write_measures(options.output, run, values)


def _measure_features(options: argparse.Namespace) -> None:
    arrays = read_npz(options.file, ("features", "labels", "weight"), optional=("bias",))
    measures = collapse_measures(
        *(arrays.get(name) for name in ("features", "labels", "weight", "bias")),
        weight_decay_lambda=options.weight_decay_lambda or 0.0,
    )
    if options.json:
        # JSON has no NaN and no infinity.
        print(json.dumps({name: value if math.isfinite(value) else None for name, value in measures.items()}, indent=2))
    else:
        width = max(map(len, measures))
        print("\n".join(f"{name:<{width}}  {value:.9g}" for name, value in measures.items()))


def _flags(names: Iterable[str]) -> str:
    return ", ".join(f"--{name.replace('_', '-')}" for name in names)
