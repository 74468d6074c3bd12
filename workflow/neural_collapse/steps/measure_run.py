"""Measure neural collapse in the moments of a run of a study, at each of its epochs."""

import argparse
import math
from pathlib import Path

from ..config.declarations import known_losses
from ..config.names import PLAIN
from ..errors import InputError
from ..features.moments import read_snapshots
from ..metrics.measures import snapshot_measures
from ..metrics.runs import RunKey, write_measures
from ._options import setting


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("features", type=Path, help="a file of extract-features")
    parser.add_argument("--dataset", required=True, type=setting("name"), help="for the table: the run's data set, ...")
    parser.add_argument("--network", required=True, type=setting("name"), help="... its network, ...")
    parser.add_argument("--loss", required=True, help="... its loss, which also decides what is measured, ...")
    parser.add_argument("--variant", default=PLAIN, type=setting("variant"), help="... its variant, if any, ...")
    parser.add_argument("--seed", required=True, type=setting("seed"), help="... and its seed")
    parser.add_argument(
        "--weight-decay", required=True, type=float, help="the weight decay of SGD, a C/2-th of the loss's lambda"
    )
    parser.add_argument("--output", required=True, type=Path, help="the measures at each epoch (CSV)")


def run(options: argparse.Namespace) -> None:
    losses = known_losses()
    if options.loss not in losses:
        raise InputError(f"--loss: no loss named '{options.loss}'; known: {', '.join(losses)}.")
    if not 0 <= options.weight_decay < math.inf:
        raise InputError(f"--weight-decay: must be a number of at least 0, found {options.weight_decay}.")
    run = RunKey(options.dataset, options.network, options.loss, options.variant, options.seed)
    values = [
        (epoch, split, measure, value)
        for epoch, split, snapshot in read_snapshots(options.features)
        for measure, value in snapshot_measures(snapshot, loss=options.loss, weight_decay=options.weight_decay).items()
    ]
    write_measures(options.output, run, values)
