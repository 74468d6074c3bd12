"""Measure the features that a run brings in place of a training, at each of its epochs."""

import argparse
import math
from pathlib import Path

from ..config.names import PLAIN
from ..errors import InputError
from ..metrics.files import measure_epochs
from ..metrics.runs import RunKey, write_measures
from ._brought import brought_arguments, files_by_epoch
from ._options import key_value, setting


def arguments(parser: argparse.ArgumentParser) -> None:
    brought_arguments(parser)
    parser.add_argument("--files", required=True, type=Path, metavar="JSON", help="of `find-files`")
    parser.add_argument("--dataset", required=True, type=setting("name"), help="for the table: the run's data set, ...")
    parser.add_argument("--network", required=True, type=setting("name"), help="... its network, ...")
    parser.add_argument("--loss", required=True, type=setting("name"), help="... its loss, as for `measure`, ...")
    parser.add_argument("--variant", default=PLAIN, type=setting("variant"), help="... its variant, if any, ...")
    parser.add_argument("--seed", required=True, type=setting("seed"), help="... and its seed")
    parser.add_argument("--weight-decay", required=True, type=float, help="that of SGD, a C/2-th of the loss's lambda")
    parser.add_argument(
        "--arrays", nargs="*", default=[], type=key_value, metavar="WHAT=NAME", help="such as features=layer4"
    )
    parser.add_argument("--output", required=True, type=Path, help="the measures at each epoch (CSV)")


def run(options: argparse.Namespace) -> None:
    if not 0 <= options.weight_decay < math.inf:
        raise InputError(f"--weight-decay: must be a number of at least 0, found {options.weight_decay}.")
    run = RunKey(options.dataset, options.network, options.loss, options.variant, options.seed)
    names = {what: str(name) for what, name in options.arrays}
    with files_by_epoch(options, options.files) as files:
        values = measure_epochs(files, name=str(run), names=names, loss=options.loss, weight_decay=options.weight_decay)
    write_measures(options.output, run, values)
    epochs = sorted({epoch for epoch, *_ in values})
    print(f"{run}: {len(values)} values at {len(epochs)} epochs, from {epochs[0]} to {epochs[-1]}")
