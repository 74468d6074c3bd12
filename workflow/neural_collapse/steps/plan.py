"""Print the jobs, the arithmetic, the GPU-hours and the disk a study will take, layer by layer."""

import argparse
import math
from pathlib import Path

from ..config.checks import read_config
from ..config.runs import load_study
from ..config.study import Study
from ..plan import Cost, check_networks, plan, sweep_cost


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, default="config.yaml", help="the configuration (default: %(default)s)")
    parser.add_argument(
        "--check", action="store_true", help="only check that every network of another library takes the images"
    )
    parser.add_argument("--study", help="one of its studies (default: the one it names)")
    parser.add_argument(
        "--tflops",
        type=_positive,
        default=20.0,
        help="10^12 FLOP a second that the GPU sustains in training, well below its peak (default: %(default)s)",
    )


def run(options: argparse.Namespace) -> None:
    study = load_study(read_config(options.config), options.study)
    if options.check:
        check_networks(study, Path("results") / study.name)
        return
    results = options.config.parent / "results" / study.name
    costs = plan(study, results)
    costs.append(
        Cost(
            "total",
            sum(cost.jobs for cost in costs),
            sum(cost.flops for cost in costs),
            sum(cost.disk for cost in costs),
        )
    )
    print(f"study {study.name}: {len(study.runs)} runs, each measured at {study.measured_epochs} epochs")
    if study.swept:
        print(_of_sweeps(study, results, options.tflops))
    print(f"\n{'layer':<10}{'jobs':>6}{'arithmetic':>14}{'GPU-hours':>11}{'disk':>10}")
    for cost in costs:
        hours = _hours(cost, options.tflops)
        row = f"{cost.layer:<10}{cost.jobs:>6}{_scaled(cost.flops, 'FLOP'):>14}{hours:>11}{_scaled(cost.disk, 'B'):>10}"
        print(row.rstrip())
    print(
        f"\nGPU-hours: at {options.tflops:g} TFLOP/s sustained (--tflops). Arithmetic: of convolutions and matrix\n"
        "products, counted on the networks themselves, a multiply-add being 2 FLOP. Disk: of what DVC keeps."
    )


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def _of_sweeps(study: Study, results: Path, tflops: float) -> str:
    """What the sweeps try, and what they would take by the other method."""
    rounds = ", then the best ".join(map(str, study.sweep.rounds))
    other = {"full": "halving", "halving": "full"}[study.sweep.method]
    hours = _hours(sweep_cost(study, results, other), tflops)
    return (
        f"Sweeps ({study.sweep.method}) for {len(study.swept)} combinations of data, network and loss try {rounds} "
        f"learning rates.\nWith `sweep: {{method: {other}}}` they would take {hours or 0} GPU-hours."
    )


def _hours(cost: Cost, tflops: float) -> str:
    """Hours with two decimals; nothing for 0."""
    value = cost.flops / (tflops * 1e12 * 3600)
    if not value:
        return ""
    return f"{value:.2f}" if value >= 0.01 else "<0.01"


def _scaled(value: float, unit: str) -> str:
    """A value in a unit with a decimal prefix and three digits, such as 61.2 GB; nothing for 0."""
    if not value:
        return ""
    prefixes = ["", "k", "M", "G", "T", "P", "E", "Z"]
    while value >= 999.5:
        value /= 1000
        prefixes.pop(0)
    return f"{value:.3g} {prefixes[0]}{unit}"
