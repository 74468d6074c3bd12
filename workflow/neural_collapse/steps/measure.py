"""Measure neural collapse in anyone's features, in files of any common kind."""

import argparse
import json
import math
from pathlib import Path

import pandas as pd

from ..config.names import UNKNOWN
from ..features.files import ROLES
from ..metrics.files import measure_files
from ..metrics.tables import to_text
from ..storage import write_csv
from ._options import setting

_WORDS = {
    "features": "h, the classifier's input (N, P)",
    "labels": "(N,)",
    "weight": "W (C, P) of the classifier",
    "bias": "b (C,) of the classifier",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help=".npz, .npy, .safetensors, .pt, .csv, .parquet, .h5 or a folder: one for each epoch (epoch-3.npz) and "
        "network; one without features (labels, a classifier) goes with the others"
    )  # fmt: skip
    arrays = parser.add_argument_group("arrays, where their names don't say what they are")
    for role in ROLES:
        arrays.add_argument(
            f"--{role}", metavar="NAME", help=f"the array, or the column, of the {role}: {_WORDS[role]}"
        )
    table = parser.add_argument_group("of the table")
    table.add_argument("--output", type=Path, metavar="TABLE.csv", help="write it, for `figures` and `report`")
    table.add_argument("--json", action="store_true", help="print JSON instead of a table")
    table.add_argument("--name", help="the network's name; by default what file or folder are called")
    table.add_argument("--dataset", type=setting("name"), default=UNKNOWN, help="the data set's name")
    table.add_argument(
        "--loss",
        type=setting("name"),
        default=UNKNOWN,
        help="trained on: mse, ce or another (decides what is measured)",
    )
    table.add_argument("--seed", type=setting("seed"), default=0, help="the training's seed (default: %(default)s)")
    table.add_argument(
        "--weight-decay-lambda",
        type=float,
        default=0.0,
        help="lambda of the loss, C/2 times SGD's weight decay (default: %(default)s)",
    )


def run(options: argparse.Namespace) -> None:
    table = measure_files(
        options.files,
        names={role: given for role in ROLES if (given := getattr(options, role)) is not None},
        name=options.name,
        dataset=options.dataset,
        loss=options.loss,
        seed=options.seed,
        weight_decay_lambda=options.weight_decay_lambda,
    )
    if options.output is not None:
        write_csv(options.output, table)
    if options.json:
        print(json.dumps(_for_json(table), indent=2))
    elif options.output is None:
        print(to_text(table))


def _for_json(table: pd.DataFrame) -> object:
    """Measures by name; of several networks, epochs or splits a list."""
    keys = ["network", "epoch", "split"]
    found = [
        # JSON has no NaN and no infinity.
        dict(zip(keys, key, strict=True))
        | {
            "measures": {
                name: x if math.isfinite(x) else None for name, x in zip(rows.measure, rows.value, strict=True)
            }
        }
        for key, rows in table.groupby(keys, sort=False)
    ]
    return found[0]["measures"] if len(found) == 1 else found
