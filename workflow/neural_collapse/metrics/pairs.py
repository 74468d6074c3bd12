"""What all pairs of classes decide, a tile of pairs at a time: no C x C array is held.

A tile's cosines are one product of unit vectors, from which lengths and distances follow; where two vectors are so
close that this would cost digits, their distance is that of their difference.
"""

from collections.abc import Iterator

import numpy as np
from scipy.optimize import nnls

from ..features.products import product

_TILE = 512  # classes a side
_NUMBERS = 2**21  # of the tiles of rectangular products
_INDEPENDENT = 1e-4  # singular values of vectors that are affinely independent, relative to the largest
_CLOSE = 1e-2  # squared distance, relative to the squared lengths, below which it is taken of the difference


class _Spread:
    """Mean and sum of squared deviations of numbers that come in parts (Chan, Golub, LeVeque, 1979)."""

    def __init__(self) -> None:
        self.count, self.mean, self.squares = 0, 0.0, 0.0

    def add(self, values: np.ndarray) -> None:
        if not values.size:
            return
        mean, total = float(values.mean()), self.count + values.size
        shift = mean - self.mean
        self.squares += float(((values - mean) ** 2).sum()) + shift**2 * self.count * values.size / total
        self.mean = (self.mean * self.count + mean * values.size) / total
        self.count = total

    @property
    def variance(self) -> float:
        return self.squares / self.count


def frame_measures(vectors: np.ndarray, of: str) -> dict[str, float]:
    """How far C vectors (C, P) are from a simplex equiangular tight frame, and how uniformly they are spread.

    The names end in `of`; `geometry_measures` says what they are.
    """
    classes = len(vectors)
    lengths = np.linalg.norm(vectors, axis=1)
    cosines, products, logarithms, inverses = _Spread(), _Spread(), _Spread(), _Spread()
    angles = 0.0
    for first, second, left, right, tile in _cosine_tiles(vectors, lengths):
        pairs = _pairs(tile, diagonal=first == second)
        distances = np.sqrt(_squared_distances(tile, left, right, diagonal=first == second)[pairs])
        logarithms.add(-np.log(distances))
        inverses.add(1 / distances)
        cosines.add(tile[pairs])
        angles += np.abs(tile[pairs] + 1 / (classes - 1)).sum()
        tile *= lengths[first, None] * lengths[None, second]
        products.add(tile[pairs])
    count = cosines.count
    if not lengths.all():  # what has no direction has no angle
        cosines.squares = angles = logarithms.mean = logarithms.squares = inverses.mean = inverses.squares = np.nan
    own = _Spread()
    own.add(lengths**2)
    return {
        f"equinorm_{of}": float(lengths.std() / lengths.mean()),
        f"equiangularity_{of}": float(np.sqrt(cosines.variance)),
        f"max_angle_{of}": float(angles / count),
        f"norm_{of}": float(lengths.mean()),
        f"etf_error_{of}": _etf_error_of(own, products, classes),
        f"log_energy_{of}": logarithms.mean,
        f"log_energy_variance_{of}": logarithms.variance,
        f"riesz_energy_{of}": inverses.mean,
        f"riesz_energy_variance_{of}": inverses.variance,
    }


def minority_cosine(vectors: np.ndarray, counts: np.ndarray) -> float:
    """Avg of cos(v_c, v_c') over c != c' among minority classes, of vectors (C, P) and the classes' counts (C,).

    Minority classes have fewer examples than the geometric mean of the most and the least. 1 is minority collapse (Fang
    et al., arXiv 2101.12699), -1/(C-1) what a simplex equiangular tight frame has. NaN of fewer than two of them.
    """
    rare = vectors[counts < np.sqrt(counts.max() * float(counts.min()))]
    if len(rare) < 2:
        return np.nan
    directions = rare / np.linalg.norm(rare, axis=1)[:, None]
    return float((np.sum(directions.sum(0) ** 2) - len(rare)) / (len(rare) * (len(rare) - 1)))


def class_distance_normalised_variances(means: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """For each class c, Avg over c' != c of (v_c + v_c')/(2 ‖mu_c - mu_c'‖²), (C,)."""
    lengths = np.linalg.norm(means, axis=1)
    sums = np.zeros(len(means))
    for first, second, _, _, tile in _cosine_tiles(means, lengths):
        tile *= lengths[first, None] * lengths[None, second]
        distances = _squared_distances(tile, means[first], means[second], diagonal=first == second)
        ratios = (variances[first, None] + variances[None, second]) / 2 / distances
        sums[first] += ratios.sum(1)
        if first != second:
            sums[second] += ratios.sum(0)
    return sums / (len(means) - 1)


def etf_error(left: np.ndarray, right: np.ndarray) -> float:
    """Distance of left right^T (C, C) from the Gram matrix of a simplex equiangular tight frame, both of norm 1."""
    classes = len(left)
    diagonal = np.linalg.vecdot(left, right)
    if _low_rank(left):
        # Far from the frame, which has rank C - 1: the difference of norm and inner product keeps its digits.
        total = left.sum(0) @ right.sum(0)
        inner = (diagonal.sum() - total / classes) / np.sqrt(classes - 1)
        return float(np.sqrt(2 - 2 * inner / np.sqrt(squared_product_norm(left, right))))
    own, others = _Spread(), _Spread()
    own.add(diagonal)
    for rows, tile in _row_tiles(left, right):
        others.add(tile[np.arange(classes) != np.arange(classes)[rows, None]])
    return _etf_error_of(own, others, classes)


def squared_product_norm(left: np.ndarray, right: np.ndarray) -> float:
    """‖left right^T‖_F² of two arrays (C, P)."""
    if _low_rank(left):
        return float((product(_triangle(left), _triangle(right).T) ** 2).sum())
    return float(sum((tile**2).sum() for _, tile in _row_tiles(left, right)))


def mean_squared_residual(
    weight: np.ndarray, bias: np.ndarray, means: np.ndarray, weights: np.ndarray, *, targets: bool
) -> float:
    """sum_c p_c ‖W mu_c + b - y_c‖², y_c = e_c, or 0 without `targets`.

    Parameters
    ----------
    weight, bias: W (C, P), b (C,).
    means, weights: of the classes, (C, P), and what each counts: p, (C,), with the sum 1.
    """
    if _low_rank(means):
        # W mu_c + b can't be near e_c for all c, so that nothing cancels.
        extended = np.sqrt(weights)[:, None] * np.column_stack([means, np.ones(len(means))])
        fitted = squared_product_norm(extended, np.column_stack([weight, bias]))
        return float(fitted - 2 * weights @ (np.linalg.vecdot(means, weight) + bias) + 1) if targets else fitted
    total = 0.0
    for rows, residuals in _row_tiles(means, weight):
        residuals += bias
        if targets:
            residuals[np.arange(len(residuals)), np.arange(len(means))[rows]] -= 1
        total += float(weights[rows] @ (residuals**2).sum(1))
    return total


def one_vs_rest_distances(vectors: np.ndarray) -> np.ndarray:
    """Distance of each of C unit vectors v_c/‖v_c‖ from the convex hull of the others, (C,).

    The least is the one-vs-rest distance of Jiang et al. (arXiv 2310.05351, definition 2.1), which a generalised
    neural collapse makes as large as it can be; C/(C-1) for all in a simplex equiangular tight frame. Away from that, a
    class is a non-negative least-squares problem of its own: seconds from some hundred classes on.

    Parameters
    ----------
    vectors: (C, P), float64, C >= 2.
    """
    lengths = np.linalg.norm(vectors, axis=1)
    if not lengths.all():
        return np.full(len(vectors), np.nan)
    units = vectors / lengths[:, None]
    if units.shape[1] > len(units):
        units = np.linalg.qr(units.T, mode="r").T
    # Of affinely independent vectors u, with F the pseudo-inverse of the centred Gram matrix, the nearest point of the
    # others' affine hull to u_k has the weights -F_jk/F_kk, and the distance F_kk^(-1/2).
    left, scale, _ = np.linalg.svd(units - units.mean(0), full_matrices=False)
    rank = len(units) - 1
    found, inside = np.empty(len(units)), np.zeros(len(units), dtype=bool)
    if len(scale) >= rank and scale[rank - 1] > _INDEPENDENT * scale[0]:
        inverse = (left[:, :rank] / scale[:rank]) @ (left[:, :rank] / scale[:rank]).T
        found = 1 / np.sqrt(np.diag(inverse))
        np.fill_diagonal(inverse, 0.0)
        inside = (inverse <= 0).all(0)
    for class_ in np.flatnonzero(~inside):
        others = np.delete(units, class_, 0) - units[class_]
        # min ‖sum_c x_c o_c‖² + (sum x - 1)² over x >= 0 is where x / sum x are the weights of the nearest point.
        solution, _ = nnls(np.vstack([others.T, np.ones(len(others))]), np.append(np.zeros(units.shape[1]), 1.0))
        found[class_] = np.linalg.norm(solution @ others) / solution.sum()
    return found


def _cosine_tiles(
    vectors: np.ndarray, lengths: np.ndarray
) -> Iterator[tuple[slice, slice, np.ndarray, np.ndarray, np.ndarray]]:
    """Every tile of pairs on and above the diagonal: its rows and columns, their unit vectors, and the cosines.

    What has no length is a unit vector of zeros.
    """
    safe = np.where(lengths > 0, lengths, 1)[:, None]
    starts = range(0, len(vectors), _TILE)
    for start in starts:
        first = slice(start, start + _TILE)
        left = vectors[first] / safe[first]
        for other in starts[start // _TILE :]:
            second = slice(other, other + _TILE)
            right = vectors[second] / safe[second]
            yield first, second, left, right, product(left, right.T)


def _pairs(tile: np.ndarray, *, diagonal: bool) -> np.ndarray:
    """Which entries of a tile are pairs of different classes, each once."""
    pairs = np.ones(tile.shape, dtype=bool)
    return np.triu(pairs, 1) if diagonal else pairs


def _squared_distances(products: np.ndarray, left: np.ndarray, right: np.ndarray, *, diagonal: bool) -> np.ndarray:
    """‖x - y‖² of rows x and y whose products are given; infinite where x is y, on the diagonal of all pairs."""
    sizes = np.linalg.vecdot(left, left)[:, None] + np.linalg.vecdot(right, right)
    distances = sizes - 2 * products
    if diagonal:
        np.fill_diagonal(distances, np.inf)
    close = distances < _CLOSE * sizes
    for row in np.flatnonzero(close.any(1)):
        differences = right[close[row]] - left[row]
        distances[row, close[row]] = np.linalg.vecdot(differences, differences)
    return distances


def _row_tiles(left: np.ndarray, right: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Some rows at a time of left right^T."""
    step = max(1, _NUMBERS // len(right))
    for start in range(0, len(left), step):
        rows = slice(start, start + step)
        yield rows, product(left[rows], right.T)


def _etf_error_of(own: _Spread, others: _Spread, classes: int) -> float:
    """The distance of `etf_error`, of the entries on the diagonal and those beside it, or a half of these."""
    beside = classes * (classes - 1)
    half = beside / others.count
    squares = own.squares + half * others.squares
    size = np.float64(squares + classes * own.mean**2 + beside * others.mean**2)
    shift = own.mean / np.sqrt(size) - np.sqrt(classes - 1) / classes
    other_shift = others.mean / np.sqrt(size) + 1 / (classes * np.sqrt(classes - 1))
    return float(np.sqrt(squares / size + classes * shift**2 + beside * other_shift**2))


def _triangle(rows: np.ndarray) -> np.ndarray:
    return np.linalg.qr(rows, mode="r")


def _low_rank(vectors: np.ndarray) -> bool:
    """Whether C vectors (C, P) span far fewer dimensions than C."""
    classes, features = vectors.shape
    return classes > 2 * features + 2
