"""A sweep for the learning rate by halving against the full one: the rates chosen, and what they are worth.

The quick study's VGG11 on digits, for 36 epochs: nine rates, by halving 9 for 4 epochs and 3 for 12, against all nine
in full. Both chose the same rate under either loss, halving in 72 epochs of training in place of 324, so that its last
epoch is the full sweep's with every seed. Eleven minutes in all, one thread of a busy x86-64 core (PyTorch 2.13):

    digits-vgg11-mse: test accuracy after
                  4 epochs 12 epochs 36 epochs
    0.001000        17.38%              58.44%
    0.002820        39.29%              76.57%
    0.007953        54.91%              93.20%
    0.022427        72.80%              95.72%
    0.063246        90.18%    95.72%    97.73%
    0.178356        95.21%    97.73%    98.24%
    0.502973        92.70%    96.98%    96.73%
    1.418412         9.32%              19.40%
    4.000000                            10.08%
    halving chose 0.1784 in 72 epochs: 98.24%, 97.73%, 97.98% with seeds 0, 1, 2
    full    chose 0.1784 in 324 epochs: 98.24%, 97.73%, 97.98% with seeds 0, 1, 2
    mean +0.00% to the full sweep's; its seeds spread over 0.50%

    digits-vgg11-ce: test accuracy after
                  4 epochs 12 epochs 36 epochs
    0.001000        45.84%              89.42%
    0.002820        57.43%              95.21%
    0.007953        74.06%              97.48%
    0.022427        94.96%    97.73%    97.48%
    0.063246        95.21%    97.98%    98.74%
    0.178356        94.21%    96.73%    97.73%
    0.502973        66.75%              94.71%
    1.418412        10.33%              10.83%
    4.000000        10.58%               9.32%
    halving chose 0.0632 in 72 epochs: 98.74%, 97.98%, 98.24% with seeds 0, 1, 2
    full    chose 0.0632 in 324 epochs: 98.74%, 97.98%, 98.24% with seeds 0, 1, 2
    mean +0.00% to the full sweep's; its seeds spread over 0.76%

    PYTHONPATH=workflow python benchmarks/sweeps.py
"""

import functools
from typing import Any

import pandas as pd

from neural_collapse.config.checks import read_config
from neural_collapse.config.runs import load_study
from neural_collapse.config.settings import TrainingSettings
from neural_collapse.config.study import Run
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
