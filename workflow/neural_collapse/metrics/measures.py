"""The measures of neural collapse: of anyone's features (`collapse_measures`), or of the moments kept of them.

PHD is Papyan, Han, Donoho (PNAS 2020), whose figures 2-7 are figures 3-8 of HPD: Han, Papyan, Donoho (ICLR 2022). Every
class weighs the same whatever its count. A measure that is 0/0 (because all class means are equal, say) is NaN.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.sparse.linalg import LinearOperator, eigsh

from ..errors import InputError
from ..features.moments import Moments, Snapshot, class_moments, example_measures
from ..features.products import product
from .arrays import as_array, check_numbers
from .decomposition import (
    covariance_times,
    decompose_loss,
    principal_axes,
    quadratic_form,
    regularised_snr,
    snr_spectrum,
)
from .pairs import (
    class_distance_normalised_variances,
    etf_error,
    frame_measures,
    minority_cosine,
    one_vs_rest_distances,
)

# What is measured of the features that batch norm in train mode makes, beside NC1.
_OF_BATCHES = ("loss", "loss_ls", "loss_nc1", "loss_nc23", "loss_perp", "classifier_distance")

_OF_LAYERS = ("nc1", "ncc_mismatch", "etf_error_means", "cdnv")

_IMBALANCED = 2  # times as many examples in one class as in another make minority classes

_LISTED = 100  # singular values of the signal-to-noise matrix at most, and classes of a one-vs-rest distance


def collapse_measures(
    features: Any, labels: Any, weight: Any = None, bias: Any = None, *, weight_decay_lambda: float = 0.0
) -> dict[str, float]:
    """All measures of neural collapse, of features and the linear classifier on top of them.

    Parameters
    ----------
    features: h, the classifier's input, (N, P), any real dtype; P >= 2. NumPy arrays, memory-mapped too, or torch
        tensors on any device.
    labels: (N,) integers 0..C-1, each class at least once; C >= 2.
    weight: W, (C, P). None: only what needs no classifier is measured.
    bias: b, (C,); None for a classifier without, compared with the least-squares classifier without.
    weight_decay_lambda: lambda >= 0 of the paper's loss: C/2 times SGD's weight decay where that minimised
        `torch.nn.MSELoss`, a mean over examples and classes.

    Returns
    -------
    Name -> value, with the names and definitions of `geometry_measures`, `example_measures` (nearest class centres: of
    these features) and `decompose_loss`, and

    `snr_1`, `snr_2`, ...   omega_1 >= omega_2 >= ... (`snr_spectrum`), the first hundred
    `snr_rank`              rank of Sigma_W, where `snr_unseen` is the share of Tr Sigma_B in its null space
    `nc1__sample_weighted`, ...  where the classes' counts differ: all that weighs classes, with each weighing as many
                            examples as it has, as in a loss that is a mean over examples
    `minority_cosine_means`, `minority_cosine_classifier`
                            where a class has at least twice another's examples: `minority_cosine` of the m_c, and of
                            the rows of W

    Every sum is centred and in float64. Takes three passes over the features, five where the classes' counts differ,
    and beside them the memory of three P x P matrices, or four where features don't vary in some direction and lambda
    is 0, and of some C x P; fewer examples than features are first rotated into as many dimensions as there are
    examples and classes.

    Raises
    ------
    InputError
        In one sentence, where shapes don't fit, a number isn't finite, or a class has no example.
    """
    features, labels, weight, bias = (
        as_array(name, values)
        for name, values in {"features": features, "labels": labels, "weight": weight, "bias": bias}.items()
    )
    _check(features, labels, weight, bias, weight_decay_lambda)
    classes = int(labels.max()) + 1 if weight is None else len(weight)
    if weight is not None:
        weight = weight.astype(np.float64)
        bias = None if bias is None else bias.astype(np.float64)
    if len(features) + classes < features.shape[1]:
        # Coordinates along an orthonormal basis of all examples and rows of W: nothing measured depends on the basis.
        rotated = np.linalg.qr(np.vstack([features] if weight is None else [features, weight]).T, mode="r").T
        features, weight = rotated[: len(features)], None if weight is None else rotated[len(features) :]
    moments = class_moments(features, labels, classes)
    measures = geometry_measures(moments, weight, bias) | _snr_measures(moments)
    if weight is not None:
        measures |= decompose_loss(moments, weight, bias, weight_decay_lambda)
    measures |= example_measures(features, labels, moments.class_means, weight, bias)
    counts = np.bincount(labels)
    if counts.min() < counts.max():
        class_means = moments.class_means
        del moments
        measures |= _minority_measures(counts, class_means, weight)
        moments = class_moments(features, labels, classes, "sample")
        weighted = _mean_measures(moments) | _snr_measures(moments)
        if weight is not None:
            weighted |= _duality_measures(moments, weight, bias)
            weighted |= decompose_loss(moments, weight, bias, weight_decay_lambda)
        del weighted["cdnv"]  # an average over pairs, whatever the classes count
        measures |= {f"{name}__sample_weighted": value for name, value in weighted.items()}
    return measures


def class_measures(features: Any, labels: Any) -> dict[str, np.ndarray]:
    """What tells one class from another, each measure an array (C,).

    Parameters
    ----------
    features, labels: as for `collapse_measures`.

    Returns
    -------
    `count`           examples, int64
    `norm`            ‖m_c‖, the distance of the class mean from the mean of all class means
    `variance`        v_c = Ave_i ‖h - mu_c‖²
    `cdnv`            Avg over c' != c of (v_c + v_c')/(2 ‖mu_c - mu_c'‖²) (Galanti et al., arXiv 2112.15121)
    `stable_rank`     Tr Sigma_c/‖Sigma_c‖_2 of the class's covariance (Rudelson, Vershynin, arXiv math/0503442)
    `effective_rank`  exp(-sum_j p_j log p_j), p_j the shares of the eigenvalues of Sigma_c in its trace (Roy, Vetterli,
                      "The effective rank", 2007)

    A rank is NaN where a class doesn't vary.

    Raises
    ------
    InputError
        As `collapse_measures`.
    """
    features, labels = as_array("features", features), as_array("labels", labels)
    _check(features, labels, None, None, 0.0)
    counts = np.bincount(labels)
    means, ranks = np.empty((len(counts), features.shape[1])), np.full((2, len(counts)), np.nan)
    variances = np.empty(len(counts))
    for class_, members in enumerate(np.split(np.argsort(labels, kind="stable"), np.cumsum(counts)[:-1])):
        rows = features[members].astype(np.float64)
        means[class_] = rows.mean(0)
        rows -= means[class_]
        variances[class_] = (rows**2).sum() / len(rows)
        eigenvalues = np.linalg.svd(rows, compute_uv=False) ** 2
        if eigenvalues[0] > 0:
            shares = eigenvalues / eigenvalues.sum()
            shares = shares[shares > 0]
            ranks[:, class_] = 1 / shares[0], np.exp(-(shares * np.log(shares)).sum())
    centred = means - means.mean(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "count": counts,
            "norm": np.linalg.norm(centred, axis=1),
            "variance": variances,
            "cdnv": class_distance_normalised_variances(centred, variances),
            "stable_rank": ranks[0],
            "effective_rank": ranks[1],
        }


def snapshot_measures(snapshot: Snapshot, *, loss: str, weight_decay: float) -> dict[str, float]:
    """All measures of one split at one epoch of a run that was trained on `loss` with SGD's `weight_decay`.

    Returns
    -------
    Name -> value, with the names and definitions of `geometry_measures` and `example_measures` (nearest class centres:
    of the train split), and

    `loss`, ...             trained on "mse": `decompose_loss` with lambda = C/2 times the weight decay, for which SGD's
                            stationary W is W_LS; otherwise `loss` alone, the mean loss without weight decay
    `loss__half_wd`, ...    "mse" only: `decompose_loss` with lambda = half the weight decay (HPD's published notebook)
    `snr_regularised_1`, ...  "mse" only: omega'_1 >= omega'_2 >= ..., of the covariance with weight decay
                            (`regularised_snr`); `snr_regularised_ratio`, the least over the greatest
    `nc1__batch_statistics`, ...  "mse" only: NC1 and the terms of the loss, of the train split as batch norm in train
                            mode makes it, where `extract-features` was asked for that
    `loss__sample_weighted`  other losses only, where the classes' counts differ: the mean over all examples
    `error__noisy`, `error__noisy_true`, `error__clean`
                            train split only, of data with `label_noise`: the error on examples whose label is wrong,
                            against that label and against the true one, and on all others
    `law_residual`          "mse" only: |L_LS of that spectrum / `loss_ls` - 1|, which is rounding
    `minority_cosine_means`, `minority_cosine_classifier`  train split only: as for `collapse_measures`
    `nc1__train_means`      test split only: NC1 with both covariances about the class means of the train split
    `snr_1`, ..., `snr_rank`, `snr_unseen`  as for `collapse_measures`
    `nc1__LAYER`, `ncc_mismatch__LAYER`, `etf_error_means__LAYER`, `cdnv__LAYER`
                            of the pooled activations of an inner layer (arXiv 2308.02760, 2210.17020)
    """
    moments, weight = snapshot.moments, snapshot.weight
    measures = snapshot.examples | geometry_measures(moments, weight, snapshot.bias) | _snr_measures(moments)
    if snapshot.train_means is None:
        measures |= _minority_measures(snapshot.class_counts, moments.class_means, weight)
    else:
        measures["nc1__train_means"] = variability_collapse(moments, snapshot.train_means)
    for name, layer in snapshot.layers.items():
        of_layer = _mean_measures(layer.moments) | {"ncc_mismatch": layer.ncc_mismatch}
        measures |= {f"{measure}__{name}": of_layer[measure] for measure in _OF_LAYERS}
    if loss != "mse":
        measures["loss"] = float(snapshot.class_losses.mean())
        if snapshot.class_counts.min() < snapshot.class_counts.max():
            measures["loss__sample_weighted"] = float(np.average(snapshot.class_losses, weights=snapshot.class_counts))
        return measures
    weight_decay_lambda = len(weight) * weight_decay / 2
    terms = decompose_loss(moments, weight, snapshot.bias, weight_decay_lambda)
    half = decompose_loss(moments, weight, snapshot.bias, weight_decay / 2)
    measures |= terms | {f"{name}__half_wd": value for name, value in half.items()}
    if snapshot.batch_statistics is not None:
        batches = snapshot.batch_statistics
        of_batches = decompose_loss(batches.moments, batches.weight, snapshot.bias, weight_decay_lambda)
        of_batches = {name: of_batches[name] for name in _OF_BATCHES} | {"nc1": variability_collapse(batches.moments)}
        measures |= {f"{name}__batch_statistics": value for name, value in of_batches.items()}
    if snapshot.bias is not None:  # without one, L_LS is that of another classifier
        measures |= _regularised_measures(moments, weight_decay_lambda, terms["loss_ls"])
    return measures


def _minority_measures(counts: np.ndarray, class_means: np.ndarray, weight: np.ndarray | None) -> dict[str, float]:
    if counts.max() < _IMBALANCED * counts.min():
        return {}
    vectors = {"means": class_means - class_means.mean(0)} | ({} if weight is None else {"classifier": weight})
    cosines = {f"minority_cosine_{of}": minority_cosine(rows, counts) for of, rows in vectors.items()}
    return {name: value for name, value in cosines.items() if not np.isnan(value)}


def _regularised_measures(moments: Moments, weight_decay_lambda: float, loss_ls: float) -> dict[str, float]:
    spectrum, loss = regularised_snr(moments, weight_decay_lambda)
    with np.errstate(divide="ignore", invalid="ignore"):
        return {f"snr_regularised_{j}": float(omega) for j, omega in enumerate(spectrum, 1)} | {
            "snr_regularised_ratio": float(spectrum[-1] / spectrum[0]),
            "law_residual": float(np.abs(loss / np.float64(loss_ls) - 1)),
        }


def geometry_measures(
    moments: Moments, weight: np.ndarray | None = None, bias: np.ndarray | None = None
) -> dict[str, float]:
    """The measures that class means, covariance and classifier decide; m_c = mu_c - mu_G are the centred class means.

    Parameters
    ----------
    moments: of the features.
    weight, bias: W (C, P), float64, in the same coordinates, and b (C,). Without W, what needs it is left out; without
        b, it is 0.

    Returns
    -------
    `nc1`                   Tr(Sigma_W Sigma_B^+)/C (PHD figure 6)
    `equinorm_means`        Std_c ‖m_c‖ / Avg_c ‖m_c‖, population standard deviation (PHD figure 2)
    `equiangularity_means`  Std over c != c' of cos(m_c, m_c') (PHD figure 3)
    `max_angle_means`       Avg over c != c' of |cos(m_c, m_c') + 1/(C-1)| (PHD figure 4)
    `norm_means`            Avg_c ‖m_c‖
    `etf_error_means`       ‖M M^T/‖M M^T‖_F - (I - 1 1^T/C)/sqrt(C-1)‖_F, the rows of M the m_c (NC2 of Kothapalli,
                            arXiv 2206.04041)
    `log_energy_means`, `riesz_energy_means`  Avg over c != c' of log(1/d), and of 1/d, with d the distance of
                            m_c/‖m_c‖ from m_c'/‖m_c'‖: how uniformly they are spread over the sphere (Liu et al., arXiv
                            2303.06484, kernels with s = 0 and 1), least at collapse
    `log_energy_variance_means`, `riesz_energy_variance_means`  the variance over pairs of the same, 0 at collapse
                            (Wu, Papyan, arXiv 2405.17767)
    `one_vs_rest_means`     the least distance of any m_c/‖m_c‖ from the convex hull of the others (Jiang et al., arXiv
                            2310.05351, definition 2.1), greatest, C/(C-1), at collapse; of 100 classes at most
                            (`one_vs_rest_distances` is for more)
    `global_mean_ratio`     ‖mu_G‖ / Avg_c ‖m_c‖, zero by assumption A2 of HPD (section 3)
    `trace_ratio`           Tr Sigma_W/Tr Sigma_B (arXiv 2210.16658)
    `numerical_rank`        Tr Sigma_T/‖Sigma_T‖_2, C-1 at collapse (Rudelson, Vershynin, arXiv math/0503442, section 1)
    `cdnv`                  Avg over c != c' of (v_c + v_c')/(2 ‖mu_c - mu_c'‖²) (Galanti et al., arXiv 2112.15121)
    `equinorm_classifier`, ..., `one_vs_rest_classifier`
                            the same as of the means, of the rows of W (`etf_error_classifier`: NC2 of Zhu et al., arXiv
                            2105.02375)
    `self_duality`          ‖W^T/‖W‖_F - Mdot/‖Mdot‖_F‖_F² (PHD figure 5)
    `alignment`             Avg_c cos(w_c, m_c), 1 at self-duality
    `alignment_std`         Std_c of the same, 0 where duality is uniform (Wu, Papyan, arXiv 2405.17767)
    `etf_error_duality`     as `etf_error_means`, of W Mdot (NC3 of Zhu et al.)
    `bias_collapse`         ‖W mu_G + b‖: 0 where the bias takes the global mean away (Zhu et al., in their published
                            code), 1/sqrt(C) for a least-squares classifier without weight decay
    """
    measures = _mean_measures(moments)
    return (
        measures
        if weight is None
        else measures | _frame(weight, "classifier") | _duality_measures(moments, weight, bias)
    )


def _mean_measures(moments: Moments) -> dict[str, float]:
    centred = moments.class_means - moments.global_mean
    with np.errstate(divide="ignore", invalid="ignore"):
        within = moments.weights @ moments.class_variances
        between = moments.weights @ np.linalg.vecdot(centred, centred)
        return {
            "nc1": variability_collapse(moments),
            **_frame(centred, "means"),
            "global_mean_ratio": float(np.linalg.norm(moments.global_mean) / np.linalg.norm(centred, axis=1).mean()),
            "cdnv": float(class_distance_normalised_variances(centred, moments.class_variances).mean()),
            "trace_ratio": float(within / between),
            "numerical_rank": float((within + between) / _largest_variance(moments, centred)),
        }


def _duality_measures(moments: Moments, weight: np.ndarray, bias: np.ndarray | None) -> dict[str, float]:
    centred = moments.class_means - moments.global_mean
    with np.errstate(divide="ignore", invalid="ignore"):
        duality = weight / np.linalg.norm(weight)
        duality -= centred / np.linalg.norm(centred)
        cosines = np.linalg.vecdot(weight, centred)
        cosines /= np.linalg.norm(weight, axis=1) * np.linalg.norm(centred, axis=1)
        return {
            "self_duality": float((duality**2).sum()),
            "alignment": float(cosines.mean()),
            "alignment_std": float(cosines.std()),
            "etf_error_duality": etf_error(weight, centred),
            "bias_collapse": float(np.linalg.norm(weight @ moments.global_mean + (0.0 if bias is None else bias))),
        }


def _frame(vectors: np.ndarray, of: str) -> dict[str, float]:
    with np.errstate(divide="ignore", invalid="ignore"):
        measures = frame_measures(vectors, of)
    if len(vectors) <= _LISTED:
        measures[f"one_vs_rest_{of}"] = float(one_vs_rest_distances(vectors).min())
    return measures


def _snr_measures(moments: Moments) -> dict[str, float]:
    with np.errstate(divide="ignore", invalid="ignore"):
        spectrum, rank, unseen = snr_spectrum(moments)
    listed = {f"snr_{j}": float(omega) for j, omega in enumerate(spectrum[:_LISTED], 1)}
    return listed | {"snr_rank": rank, "snr_unseen": unseen}


def variability_collapse(moments: Moments, centres: np.ndarray | None = None) -> float:
    """NC1 = Tr(Sigma_W Sigma_B^+)/C, along the singular vectors of the centred class means; no P x P pseudo-inverse.

    With `centres` (C, P), both covariances are about these instead of the features' own class means: Sigma_B is theirs,
    and Sigma_W = Ave_{i,c} (h - centre_c)(h - centre_c)^T.
    """
    about = moments if centres is None else replace(moments, class_means=centres)
    scale, axes = principal_axes(about, about.global_mean)
    variances = quadratic_form(moments.within_class_covariance, axes)
    if centres is not None:
        variances += moments.weights @ ((moments.class_means - centres) @ axes.T) ** 2
    return float((variances / scale**2).sum() / len(moments.class_means)) if len(scale) else np.nan


def _largest_variance(moments: Moments, centred: np.ndarray) -> float:
    """‖Sigma_T‖_2, by Lanczos's method: an eigendecomposition would take longer than everything else together."""
    if not centred.any() and not moments.class_variances.any():
        return 0.0
    features = centred.shape[1]

    def times(vector: np.ndarray) -> np.ndarray:
        row = vector.reshape(1, -1)
        between = product(product(row, centred.T) * moments.weights, centred)
        return covariance_times(moments.within_class_covariance, row) + between

    total_covariance = LinearOperator((features, features), matvec=times, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(features)  # ARPACK's own would differ from call to call
    return eigsh(total_covariance, k=1, which="LA", v0=start, tol=1e-11, return_eigenvectors=False)[0]


def _check(
    features: np.ndarray | None,
    labels: np.ndarray | None,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
    weight_decay_lambda: float,
) -> None:
    if features is None or features.ndim != 2 or features.shape[1] < 2:
        found = None if features is None else features.shape
        raise InputError(f"features: must have the shape (N, P) with P >= 2, found {found}.")
    if labels is None or labels.shape != features.shape[:1] or labels.dtype.kind == "f":
        found = None if labels is None else f"{labels.dtype} {labels.shape}"
        raise InputError(f"labels: must be one integer for each of the {len(features)} examples, found {found}.")
    if weight is not None and (weight.ndim != 2 or len(weight) < 2 or weight.shape[1] != features.shape[1]):
        raise InputError(
            f"weight: must have the shape (C, {features.shape[1]}), as many columns as the features and C >= 2, "
            f"found {weight.shape}."
        )
    if bias is not None and weight is None:
        raise InputError("bias: there is one but no weight; pass both, or neither.")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise InputError(f"bias: must have the shape ({len(weight)},), one number a row of weight, found {bias.shape}.")
    for name, array in (("features", features), ("weight", weight), ("bias", bias)):
        if array is not None:
            check_numbers(name, array)
    if not 0 <= weight_decay_lambda < np.inf:
        raise InputError(f"weight_decay_lambda: must be a number of at least 0, found {weight_decay_lambda}.")
    found = set(np.unique(labels).tolist())
    if not found:
        raise InputError("features: there is no example.")
    if weight is None and (len(found) < 2 or min(found) < 0 or max(found) >= len(labels)):
        raise InputError(f"labels: must be 0..C-1 with C >= 2, each there, found {_some(found)}.")
    classes = set(range(max(found) + 1 if weight is None else len(weight)))
    if found - classes:
        known = f"0..{len(weight) - 1}, one for each row of weight"
        raise InputError(f"labels: must lie in {known}, found {_some(found - classes)}.")
    if classes - found:
        raise InputError(f"labels: every class needs an example, found none of class {_some(classes - found)}.")


def _some(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(numbers)[:5]))
