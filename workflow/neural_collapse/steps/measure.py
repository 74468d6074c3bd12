"""Measure neural collapse: in the moments of a run (.safetensors), or in anyone's features (.npz)."""

import argparse
import json
import math
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import InputError
from ..measures import collapse_measures, snapshot_measures
from ..moments import read_snapshots
from ..storage import write_csv

_OF_RUN = ("dataset", "network", "loss", "seed", "weight_decay", "output")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="a file of extract-features, or .npz: features, labels, weight, bias")
    run = parser.add_argument_group("of a run, all needed")
    run.add_argument("--dataset", help="for the table: the run's data set, ...")
    run.add_argument("--network", help="... its network, ...")
    run.add_argument("--loss", help="... its loss, which also decides what is measured, ...")
    run.add_argument("--seed", type=int, help="... and its seed")
    run.add_argument("--weight-decay", type=float, help="the weight decay of SGD, a C/2-th of the loss's lambda")
    run.add_argument("--output", type=Path, help="the measures at each epoch (CSV)")
    anyone = parser.add_argument_group("of anyone's features")
    anyone.add_argument("--weight-decay-lambda", type=float, default=0.0, help="lambda of the loss, 0 if left out")
    anyone.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(options: argparse.Namespace) -> None:
    if options.file.suffix == ".npz":
        _measure_features(options)
    else:
        _measure_run(options)


def _measure_run(options: argparse.Namespace) -> None:
    missing = [f"--{name.replace('_', '-')}" for name in _OF_RUN if getattr(options, name) is None]
    if missing:
        raise InputError(f"{options.file}: measuring a run needs {', '.join(missing)} (and a name in .npz, features).")
    rows = [
        (options.dataset, options.network, options.loss, options.seed, epoch, split, measure, value)
        for epoch, split, snapshot in read_snapshots(options.file)
        for measure, value in snapshot_measures(snapshot, loss=options.loss, weight_decay=options.weight_decay).items()
    ]
    columns = ["dataset", "network", "loss", "seed", "epoch", "split", "measure", "value"]
    write_csv(options.output, pd.DataFrame(rows, columns=columns))


def _measure_features(options: argparse.Namespace) -> None:
    arrays = _read_npz(options.file)
    measures = collapse_measures(
        *(arrays.get(name) for name in ("features", "labels", "weight", "bias")),
        weight_decay_lambda=options.weight_decay_lambda,
    )
    if options.json:
        # JSON has no NaN and no infinity.
        print(json.dumps({name: value if math.isfinite(value) else None for name, value in measures.items()}, indent=2))
    else:
        width = max(map(len, measures))
        print("\n".join(f"{name:<{width}}  {value:.9g}" for name, value in measures.items()))


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise InputError(f"{path}: there is no such file.")
    try:
        with np.load(path) as file:
            arrays = dict(file)
    except (zipfile.BadZipFile, ValueError) as error:
        raise InputError(f"{path}: not a file of numpy.savez ({error}).") from None
    missing = [name for name in ("features", "labels", "weight") if name not in arrays]
    if missing:
        raise InputError(f"{path}: has no array named {', '.join(missing)}; found {', '.join(arrays) or 'none'}.")
    return arrays
