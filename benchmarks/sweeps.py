"""A sweep for the learning rate by halving against the full one: the rates chosen, and what they are worth.

PYTHONPATH=workflow python benchmarks/sweeps.py
"""

import functools
from typing import Any

import pandas as pd

from neural_collapse.config.checks import read_config
from neural_collapse.config.runs import Run, load_study
from neural_collapse.config.settings import TrainingSettings
from neural_collapse.data.dataset import Dataset
from neural_collapse.data.preparation import load, prepare
from neural_collapse.device import prepare_device
from neural_collapse.steps.choose_learning_rate import kept_learning_rates
from neural_collapse.train.training import DivergenceError, Training

SEEDS = (0, 1, 2)  # the first is the sweep's
OF_QUICK = {
    "training": {
        **{"epochs": 36, "batch_size": 64, "warmup_epochs": 4, "learning_rate_drops": [16, 29]},
        **{"weight_decay": 0.005, "precision": "float32"},
    },
    "runs": {"digits-vgg11-mse": {}, "digits-vgg11-ce": {}},
    "override": {"learning_rate": "sweep"},
    "sweep": {"method": "halving", "lowest": 0.001, "highest": 4, "count": 9},
}


def main() -> None:
    config = read_config("config.yaml")
    config["studies"]["quick"] |= OF_QUICK
    study = load_study(config, "quick")
    for pair, run in study.swept.items():
        print(f"\n{pair}: test accuracy after")
        rates = list(study.sweep.rates)
        tried = {}
        for number, _ in enumerate(study.sweep.rounds, 1):
            settings = study.trial(pair, number).settings
            ends = tried[f"{settings['epochs']} epochs"] = swept(run, settings, rates)
            rates = kept_learning_rates(ends, [*study.sweep.rounds, 1][number])
        (halving,) = rates
        ends = tried[f"{run.settings['epochs']} epochs"] = swept(run, run.settings, list(study.sweep.rates))
        (full,) = kept_learning_rates(ends, 1)
        table = pd.DataFrame({name: ends.set_index("learning_rate").test_error for name, ends in tried.items()})
        print((1 - table).map(lambda share: f"{share:.2%}").replace("nan%", "").to_string(float_format="{:.4f}".format))
        epochs = {
            name: sum(len(ends) * ends.epochs.iloc[0] for ends in tables)
            for name, tables in (("halving", [*tried.values()][:-1]), ("full", [*tried.values()][-1:]))
        }
        means = {}
        for name, rate in (("halving", halving), ("full", full)):
            accuracies = [1 - last_error(run, run.settings, rate, seed) for seed in SEEDS]
            means[name] = sum(accuracies) / len(SEEDS)
            seeds = ", ".join(f"{accuracy:.2%}" for accuracy in accuracies)
            print(f"{name:7} chose {rate:.4f} in {epochs[name]} epochs: {seeds} with seeds 0, 1, 2")
            spread = max(accuracies) - min(accuracies)
        print(f"mean {means['halving'] - means['full']:+.2%} to the full sweep's; its seeds spread over {spread:.2%}")


def swept(run: Run, settings: dict[str, Any], rates: list[float]) -> pd.DataFrame:
    """The last epoch of a trial of each rate, as `choose-learning-rate` reads it."""
    errors = [last_error(run, settings, rate, SEEDS[0]) for rate in rates]
    table = pd.DataFrame({"learning_rate": rates, "test_error": errors, "epochs": settings["epochs"]})
    return table.assign(diverged=table.test_error.isna())


def last_error(run: Run, settings: dict[str, Any], rate: float, seed: int) -> float | None:
    """The test error at the last epoch; None of a training that diverged."""
    case = (run.pair, settings["epochs"], rate, seed)
    if case not in _TRAINED:
        own = {"network": run.network, "network_options": run.network_options, "loss": run.loss, "seed": seed}
        of_training = TrainingSettings(**settings | own | {"learning_rate": rate})
        training = Training(digits(), of_training, prepare_device(of_training.precision, of_training.threads))
        try:
            _TRAINED[case] = [training.train_epoch(epoch) for epoch in range(1, settings["epochs"] + 1)][-1].test_error
        except DivergenceError:
            _TRAINED[case] = None
    return _TRAINED[case]


_TRAINED: dict[tuple, float | None] = {}


@functools.cache
def digits() -> Dataset:
    return prepare(load("digits"), name="digits", train_per_class=140, padding=0, seed=0)


if __name__ == "__main__":
    main()
