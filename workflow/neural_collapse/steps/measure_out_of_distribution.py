"""Measure how well scores tell other data from a run's own, at each of its epochs."""

import argparse
from pathlib import Path

from ..config.names import PLAIN
from ..features.out_of_distribution import read_outlooks
from ..metrics.out_of_distribution import out_of_distribution_measures
from ..metrics.runs import RunKey, write_measures
from ._options import setting


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("examples", type=Path, help="a file of extract-out-of-distribution")
    parser.add_argument("--dataset", required=True, type=setting("name"), help="for the table: the run's data set, ...")
    parser.add_argument("--network", required=True, type=setting("name"), help="... its network, ...")
    parser.add_argument("--loss", required=True, type=setting("name"), help="... its loss, ...")
    parser.add_argument("--variant", default=PLAIN, type=setting("variant"), help="... its variant, if any, ...")
    parser.add_argument("--seed", required=True, type=setting("seed"), help="... and its seed")
    parser.add_argument("--output", required=True, type=Path, help="the measures at each epoch (CSV)")


def run(options: argparse.Namespace) -> None:
    run = RunKey(options.dataset, options.network, options.loss, options.variant, options.seed)
    values = [
        (epoch, "test", measure, value)
        for epoch, outlook in read_outlooks(options.examples)
        for measure, value in out_of_distribution_measures(outlook).items()
    ]
    write_measures(options.output, run, values)
