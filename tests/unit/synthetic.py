"""Made-up runs in the shape of real ones, for the tests of whatever reads tables of measures."""

import numpy as np
import pandas as pd

from neural_collapse.metrics.runs import COLUMNS
from neural_collapse.train.schedule import measured_epochs


def synthetic_run(
    dataset="digits",
    network="vgg11",
    loss="mse",
    seed=0,
    *,
    variant="plain",
    epochs=100,
    count=20,
    zero_error=30.0,
    noise=0.0,
) -> pd.DataFrame:
    """A run that collapses by power laws of the epoch and reaches zero train error at epoch `zero_error` (or never).

    Its loss is the sum of its terms, and everything falls: the claims of the paper hold of it. `noise` is the standard
    deviation of the logarithm of each collapse measure.
    """
    random = np.random.default_rng([seed, *map(ord, f"{dataset}{network}{loss}")])
    epoch = np.array(measured_epochs(epochs, min(count, epochs)))
    speed = (1.0 if loss == "mse" else 0.6) * random.uniform(0.8, 1.2)

    def falling(start, power):
        return start * epoch ** (-power * speed) * np.exp(noise * random.standard_normal(len(epoch)))

    error = np.where(epoch >= zero_error, 0.0, 0.5 * np.maximum(1 - epoch / zero_error, 0.002))
    train = {
        "error": error,
        "nc1": falling(2.0, 2.5),
        "equinorm_means": falling(0.3, 0.5),
        "equinorm_classifier": falling(0.2, 0.6),
        "equiangularity_means": falling(0.4, 0.5),
        "equiangularity_classifier": falling(0.3, 0.6),
        "max_angle_means": falling(0.4, 0.6),
        "max_angle_classifier": falling(0.3, 0.7),
        "self_duality": falling(1.5, 0.9),
        "ncc_mismatch": error * 0.8,
        "global_mean_ratio": falling(1.5, 0.3),
    }
    if loss == "mse":
        terms = {"loss_nc1": falling(0.3, 0.7), "loss_nc23": falling(0.1, 2.0), "loss_perp": falling(0.5, 1.5)}
        parts = {"loss_nc1_within": 0.4 * terms["loss_nc1"], "loss_nc1_decay": 0.6 * terms["loss_nc1"]}
        sums = {"loss": sum(terms.values()), "loss_ls": terms["loss_nc1"] + terms["loss_nc23"]}
        distances = {"distance_in_span": falling(0.2, 1.0), "distance_outside_span": falling(0.3, 0.4)}
        distances["classifier_distance"] = np.hypot(*distances.values())
        law = {"law_residual": np.full(len(epoch), 3e-16), "snr_regularised_ratio": 0.95 * (epoch / epochs) ** 0.5}
        train |= terms | parts | sums | distances | law
    else:
        train |= {"loss": falling(2.0, 1.5)}
    test = {
        "error": 0.05 + 0.5 / (1 + epoch),
        "nc1": falling(3.0, 0.4),
        "ncc_mismatch": 0.02 + 0.4 / epoch,
        "robustness": 0.1 + 0.1 * np.log(epoch) * speed,
        "robustness__nearest_other": np.full(len(epoch), 0.6),
        # At the zero-error epoch and the last alone: it is dear.
        "robustness__minimum": np.where((error == error.min()).cumsum() % len(epoch) == 1, 0.1, np.nan),
    }
    test["robustness__minimum"][-1] = 0.1 + 0.05 * speed
    rows = [
        (dataset, network, loss, variant, seed, int(at), split, measure, float(value))
        for split, measures in (("train", train), ("test", test))
        for measure, values in measures.items()
        for at, value in zip(epoch, values, strict=True)
        if not np.isnan(value)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)
