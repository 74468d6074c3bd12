"""The measures of neural collapse: of anyone's features (`collapse_measures`), or of the moments kept of them.

PHD is Papyan, Han, Donoho (PNAS 2020), whose figures 2-7 are figures 3-8 of HPD: Han, Papyan, Donoho (ICLR 2022). Every
class weighs the same whatever its count. A measure that is 0/0 (because all class means are equal, say) is NaN.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy.sparse.linalg import LinearOperator, eigsh
from scipy.spatial.distance import pdist

from ..errors import InputError
from ..features.moments import Moments, Snapshot, class_moments, example_measures
from ..features.products import product
from .decomposition import (
    covariance_times,
    decompose_loss,
    principal_class_means,
    quadratic_form,
    regularised_snr,
    snr_spectrum,
    snr_support,
)

# What is measured of the features that batch norm in train mode makes, beside NC1.
_OF_BATCHES = ("loss", "loss_ls", "loss_nc1", "loss_nc23", "loss_perp", "classifier_distance")


def collapse_measures(
    features: Any, labels: Any, weight: Any, bias: Any, *, weight_decay_lambda: float = 0.0
) -> dict[str, float]:
    """All measures of neural collapse, of features and the linear classifier on top of them.

    Parameters
    ----------
    features: h, the classifier's input, (N, P), any real dtype; P >= 2. NumPy arrays, or torch tensors on any device.
    labels: (N,) integers 0..C-1, each class at least once; C >= 2.
    weight: W, (C, P).
    bias: b, (C,); None for a classifier without, compared with the least-squares classifier without.
    weight_decay_lambda: lambda >= 0 of the paper's loss: C/2 times SGD's weight decay where that minimised
        `torch.nn.MSELoss`, a mean over examples and classes.

    Returns
    -------
    Name -> value, with the names and definitions of `geometry_measures`, `example_measures` (nearest class centres: of
    these features) and `decompose_loss`.

    Every sum is centred and in float64. Takes two passes over the features and, beside them, the memory of three P x P
    matrices, or four where features don't vary in some direction and lambda is 0; fewer examples than features are
    first rotated into as many dimensions as there are examples and classes.

    Raises
    ------
    InputError
        In one sentence, where shapes don't fit, a number isn't finite, or a class has no example.
    """
    features, labels, weight, bias = (
        _array(name, values)
        for name, values in {"features": features, "labels": labels, "weight": weight, "bias": bias}.items()
    )
    _check(features, labels, weight, bias, weight_decay_lambda)
    weight = weight.astype(np.float64)
    if len(features) + len(weight) < features.shape[1]:
        # Coordinates along an orthonormal basis of all examples and rows of W: nothing measured depends on the basis.
        rotated = np.linalg.qr(np.vstack([features, weight]).T, mode="r").T
        features, weight = rotated[: len(features)], rotated[len(features) :]
    moments = class_moments(features, labels, len(weight))
    offset = np.zeros(len(weight)) if bias is None else bias.astype(np.float64)
    return (
        geometry_measures(moments, weight)
        | decompose_loss(moments, weight, None if bias is None else offset, weight_decay_lambda)
        | example_measures(features, labels, moments.class_means, weight, offset)
    )


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
    `law_residual`          "mse" only: |L_LS of that spectrum / `loss_ls` - 1|, which is rounding
    `nc1__train_means`      test split only: NC1 with both covariances about the class means of the train split
    `snr_1`, `snr_2`, ...   omega_1 >= omega_2 >= ... (`snr_spectrum`)
    `snr_rank`              rank of Sigma_W, where `snr_unseen` is the share of Tr Sigma_B in its null space
    `nc1__LAYER`, `ncc_mismatch__LAYER`  of the pooled activations of an inner layer (arXiv 2308.02760, 2210.17020)
    """
    moments, weight = snapshot.moments, snapshot.weight
    measures = snapshot.examples | geometry_measures(moments, weight)
    if snapshot.train_means is not None:
        measures["nc1__train_means"] = variability_collapse(moments, snapshot.train_means)
    measures |= {f"snr_{j}": float(omega) for j, omega in enumerate(snr_spectrum(moments), 1)}
    measures["snr_rank"], measures["snr_unseen"] = snr_support(moments)
    for name, layer in snapshot.layers.items():
        measures[f"nc1__{name}"] = variability_collapse(layer.moments)
        measures[f"ncc_mismatch__{name}"] = layer.ncc_mismatch
    if loss != "mse":
        return measures | {"loss": float(snapshot.class_losses.mean())}
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


def _regularised_measures(moments: Moments, weight_decay_lambda: float, loss_ls: float) -> dict[str, float]:
    spectrum, loss = regularised_snr(moments, weight_decay_lambda)
    with np.errstate(divide="ignore", invalid="ignore"):
        return {f"snr_regularised_{j}": float(omega) for j, omega in enumerate(spectrum, 1)} | {
            "snr_regularised_ratio": float(spectrum[-1] / spectrum[0]),
            "law_residual": float(np.abs(loss / np.float64(loss_ls) - 1)),
        }


def geometry_measures(moments: Moments, weight: np.ndarray) -> dict[str, float]:
    """The measures that class means, covariance and classifier decide; m_c = mu_c - mu_G are the centred class means.

    Parameters
    ----------
    moments: of the features.
    weight: W (C, P), float64, in the same coordinates.

    Returns
    -------
    `nc1`                   Tr(Sigma_W Sigma_B^+)/C (PHD figure 6)
    `equinorm_means`        Std_c ‖m_c‖ / Avg_c ‖m_c‖, population standard deviation (PHD figure 2)
    `equiangularity_means`  Std over c != c' of cos(m_c, m_c') (PHD figure 3)
    `max_angle_means`       Avg over c != c' of |cos(m_c, m_c') + 1/(C-1)| (PHD figure 4)
    `norm_means`            Avg_c ‖m_c‖
    `global_mean_ratio`     ‖mu_G‖ / Avg_c ‖m_c‖, zero by assumption A2 of HPD (section 3)
    `equinorm_classifier`, `equiangularity_classifier`, `max_angle_classifier`, `norm_classifier`
                            the same of the rows of W
    `self_duality`          ‖W^T/‖W‖_F - Mdot/‖Mdot‖_F‖_F² (PHD figure 5)
    `alignment`             Avg_c cos(w_c, m_c), 1 at self-duality
    `etf_error_classifier`  ‖W W^T/‖W W^T‖_F - (I - 1 1^T/C)/sqrt(C-1)‖_F (NC2 of Zhu et al., arXiv 2105.02375)
    `etf_error_duality`     the same of W Mdot (NC3 of Zhu et al.)
    `cdnv`                  Avg over c != c' of (v_c + v_c')/(2 ‖mu_c - mu_c'‖²) (Galanti et al., arXiv 2112.15121)
    `trace_ratio`           Tr Sigma_W/Tr Sigma_B (arXiv 2210.16658)
    `numerical_rank`        Tr Sigma_T/‖Sigma_T‖_2, C-1 at collapse (Rudelson, Vershynin, arXiv math/0503442, section 1)
    """
    centred = moments.class_means - moments.class_means.mean(0)
    first, second = np.triu_indices(len(centred), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        within = moments.class_variances.mean()
        between = (centred**2).sum() / len(centred)
        pair_variances = (moments.class_variances[first] + moments.class_variances[second]) / 2
        duality = weight / np.linalg.norm(weight) - centred / np.linalg.norm(centred)
        cosines = (weight * centred).sum(1) / np.linalg.norm(weight, axis=1) / np.linalg.norm(centred, axis=1)
        return {
            "nc1": variability_collapse(moments),
            **_frame_measures(centred, "means"),
            "global_mean_ratio": float(
                np.linalg.norm(moments.class_means.mean(0)) / np.linalg.norm(centred, axis=1).mean()
            ),
            **_frame_measures(weight, "classifier"),
            "self_duality": float((duality**2).sum()),
            "alignment": float(cosines.mean()),
            "etf_error_classifier": _etf_error(weight @ weight.T),
            "etf_error_duality": _etf_error(weight @ centred.T),
            "cdnv": float((pair_variances / pdist(centred, "sqeuclidean")).mean()),
            "trace_ratio": float(within / between),
            "numerical_rank": float((within + between) / _largest_variance(moments, centred)),
        }


def variability_collapse(moments: Moments, centres: np.ndarray | None = None) -> float:
    """NC1 = Tr(Sigma_W Sigma_B^+)/C, along the singular vectors of the centred class means; no P x P pseudo-inverse.

    With `centres` (C, P), both covariances are about these instead of the features' own class means: Sigma_B is theirs,
    and Sigma_W = Ave_{i,c} (h - centre_c)(h - centre_c)^T.
    """
    own = moments.class_means
    centres = own if centres is None else centres
    _, scale, axes = principal_class_means(centres, centres.mean(0))
    variances = quadratic_form(moments.within_class_covariance, axes) + (((own - centres) @ axes.T) ** 2).mean(0)
    return float((variances / scale**2).sum() / len(own)) if len(scale) else np.nan


def _frame_measures(vectors: np.ndarray, of: str) -> dict[str, float]:
    """How far C vectors (C, P) are from a simplex equiangular tight frame."""
    norms = np.linalg.norm(vectors, axis=1)
    cosines = 1 - pdist(vectors, "cosine")
    return {
        f"equinorm_{of}": float(norms.std() / norms.mean()),
        f"equiangularity_{of}": float(cosines.std()),
        f"max_angle_{of}": float(np.abs(cosines + 1 / (len(vectors) - 1)).mean()),
        f"norm_{of}": float(norms.mean()),
    }


def _etf_error(gram: np.ndarray) -> float:
    """Distance of a matrix (C, C) from the Gram matrix of a simplex equiangular tight frame, both of norm 1."""
    classes = len(gram)
    simplex = (np.eye(classes) - 1 / classes) / np.sqrt(classes - 1)
    return float(np.linalg.norm(gram / np.linalg.norm(gram) - simplex))


def _largest_variance(moments: Moments, centred: np.ndarray) -> float:
    """‖Sigma_T‖_2, by Lanczos's method: an eigendecomposition would take longer than everything else together."""
    if not centred.any() and not moments.class_variances.any():
        return 0.0
    features = centred.shape[1]

    def times(vector: np.ndarray) -> np.ndarray:
        row = vector.reshape(1, -1)
        between = product(product(row, centred.T), centred) / len(centred)
        return covariance_times(moments.within_class_covariance, row) + between

    total_covariance = LinearOperator((features, features), matvec=times, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(features)  # ARPACK's own would differ from call to call
    return eigsh(total_covariance, k=1, which="LA", v0=start, tol=1e-11, return_eigenvectors=False)[0]


def _array(name: str, values: Any) -> np.ndarray | None:
    """What a user gave, as a NumPy array; tensors are told by their methods, so that torch need not be installed."""
    if values is None:
        return None
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        values = values.float() if str(values.dtype) == "torch.bfloat16" else values
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise InputError(f"{name}: must be an array of real numbers, found the type {array.dtype}.")
    return array


def _check(
    features: np.ndarray, labels: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, weight_decay_lambda: float
) -> None:
    if features.ndim != 2 or features.shape[1] < 2:
        raise InputError(f"features: must have the shape (N, P) with P >= 2, found {features.shape}.")
    if labels.shape != features.shape[:1] or labels.dtype.kind == "f":
        found = f"{labels.dtype} {labels.shape}"
        raise InputError(f"labels: must be one integer for each of the {len(features)} examples, found {found}.")
    if weight.ndim != 2 or len(weight) < 2 or weight.shape[1] != features.shape[1]:
        raise InputError(
            f"weight: must have the shape (C, {features.shape[1]}), as many columns as the features and C >= 2, "
            f"found {weight.shape}."
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise InputError(f"bias: must have the shape ({len(weight)},), one number a row of weight, found {bias.shape}.")
    _check_finite({"features": features, "weight": weight} | ({} if bias is None else {"bias": bias}))
    if not 0 <= weight_decay_lambda < np.inf:
        raise InputError(f"weight_decay_lambda: must be a number of at least 0, found {weight_decay_lambda}.")
    found, classes = set(np.unique(labels).tolist()), set(range(len(weight)))
    if found - classes:
        known = f"0..{len(weight) - 1}, one for each row of weight"
        raise InputError(f"labels: must lie in {known}, found {_some(found - classes)}.")
    if classes - found:
        raise InputError(f"labels: every class needs an example, found none of class {_some(classes - found)}.")


def _check_finite(arrays: dict[str, np.ndarray]) -> None:
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            raise InputError(f"{name}: all numbers must be finite, found {array[where]} at {list(where)}.")


def _some(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(numbers)[:5]))
