"""Unconstrained features: MSE loss where features are free variables, its global minimum and the flow towards it.

Beside the central path this is the other model in which collapse can be proved (Zhou et al., arXiv 2203.01238; Tirer,
Bruna, arXiv 2202.08087): features stand for all that a network can express, and are decayed like the classifier,

    L(W, b, H) = 1/(2CN) sum_{c,i} ‖W h_{c,i} + b - e_c‖² + lambda_W/2 ‖W‖² + lambda_H/2 sum_{c,i} ‖h_{c,i}‖²,

over C classes with N features each. The bias is not decayed, or there is none. docs/theory.md derives the minimum.
"""

from typing import NamedTuple

import numpy as np
from scipy.integrate import solve_ivp

from ..errors import InputError


class Minimum(NamedTuple):
    """What every global minimiser has in common; they differ by a rotation of the features.

    gain: z, for which the logits W h + b of class c are b + z (e_c - 1/C), or z e_c without bias; 0 where decay wins.
    loss: L there.
    weight, feature: the length of each row of W, and of each feature.
    """

    gain: float
    loss: float
    weight: float
    feature: float


class Point(NamedTuple):
    """A classifier, `weight` (C, P) and `bias` (C,), None for none, and the features (C, N, P) below it, float64."""

    weight: np.ndarray
    bias: np.ndarray | None
    features: np.ndarray


def global_minimum(
    classes: int, examples_per_class: int, weight_decay: float, feature_decay: float, *, bias: bool = True
) -> Minimum:
    """The global minimum, for at least C - 1 features, or C without bias (Zhou et al., theorem 3.1).

    Parameters
    ----------
    weight_decay, feature_decay: lambda_W and lambda_H, above 0.
    """
    if not weight_decay > 0 or not feature_decay > 0:
        raise InputError(
            f"weight_decay, feature_decay: both must be above 0, found {weight_decay} and {feature_decay}."
        )
    rank = classes - bias
    price = np.sqrt(examples_per_class * weight_decay * feature_decay)  # of a singular value of W M
    gain = max(0.0, 1 - classes * price)
    ratio = np.sqrt(examples_per_class * feature_decay / weight_decay)  # of a singular value of W to one of M
    share = rank / classes  # of ‖W‖² in each row
    return Minimum(
        gain=gain,
        loss=rank * ((1 - gain) ** 2 / (2 * classes) + price * gain),
        weight=float(np.sqrt(share * gain * ratio)),
        feature=float(np.sqrt(share * gain / ratio)),
    )


def unconstrained_loss(point: Point, weight_decay: float, feature_decay: float) -> float:
    """L of a point."""
    residual = _residual(point)
    data = (residual**2).sum() / (2 * residual.shape[0] * residual.shape[1])
    return float(data + weight_decay / 2 * (point.weight**2).sum() + feature_decay / 2 * (point.features**2).sum())


def gradient(point: Point, weight_decay: float, feature_decay: float) -> Point:
    """The gradient of L, in the shape of a point."""
    residual = _residual(point)
    residual = residual / (residual.shape[0] * residual.shape[1])
    return Point(
        np.einsum("cnk,cnp->kp", residual, point.features) + weight_decay * point.weight,
        None if point.bias is None else residual.sum((0, 1)),
        residual @ point.weight + feature_decay * point.features,
    )


def gradient_flow(start: Point, time: float, weight_decay: float, feature_decay: float) -> Point:
    """Where the flow along minus the gradient of L is after a time."""

    def unpacked(values: np.ndarray) -> Point:
        weight, rest = values[: start.weight.size].reshape(start.weight.shape), values[start.weight.size :]
        bias, rest = (None, rest) if start.bias is None else np.split(rest, [len(start.bias)])
        return Point(weight, bias, rest.reshape(start.features.shape))

    def velocity(_: float, values: np.ndarray) -> np.ndarray:
        return -_packed(gradient(unpacked(values), weight_decay, feature_decay))

    solution = solve_ivp(velocity, (0, time), _packed(start), method="LSODA", rtol=1e-10, atol=1e-12)
    if not solution.success:
        raise InputError(f"the flow can't be followed to time {time:g} ({solution.message}); try a shorter one.")
    return unpacked(solution.y[:, -1])


def random_point(classes: int, examples_per_class: int, features: int, seed: int, *, bias: bool = True) -> Point:
    """Where a flow may start: standard normal numbers, 0 for the bias."""
    random = np.random.default_rng(seed)
    return Point(
        random.standard_normal((classes, features)),
        np.zeros(classes) if bias else None,
        random.standard_normal((classes, examples_per_class, features)),
    )


def _packed(point: Point) -> np.ndarray:
    return np.concatenate([part.ravel() for part in point if part is not None])


def _residual(point: Point) -> np.ndarray:
    """The logits minus the targets, (C, N, C)."""
    logits = point.features @ point.weight.T + (0.0 if point.bias is None else point.bias)
    return logits - np.eye(len(point.weight))[:, None]
