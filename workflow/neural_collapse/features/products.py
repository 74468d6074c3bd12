"""Matrix products by SciPy's BLAS, which factorises too.

NumPy's and SciPy's wheels each bring a BLAS with threads of its own. Where large products alternate between the two,
the waiting threads of one keep the other from its processors.
"""

import numpy as np
from scipy.linalg import blas


def product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The product left @ right, float64."""
    # BLAS's order is Fortran's, in which an array in C's is its transpose: (left right)^T = right^T left^T.
    (first, first_transposed), (second, second_transposed) = columns(right.T), columns(left.T)
    return blas.dgemm(1.0, first, second, trans_a=first_transposed, trans_b=second_transposed).T


def single_product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The product left @ right, float32."""
    (first, first_transposed), (second, second_transposed) = columns(right.T), columns(left.T)
    return blas.sgemm(1.0, first, second, trans_a=first_transposed, trans_b=second_transposed).T


def add_squares(upper: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """`upper`, (P, P), plus sum_i x_i x_i^T over the rows x_i of (n, P), float64, in the upper triangle alone.

    In place where `upper` is float64 and in Fortran's order.
    """
    return blas.dsyrk(1.0, rows.T, beta=1.0, c=upper, overwrite_c=True)


def symmetric_times(matrix: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Each row (k, P) times a symmetric matrix (P, P), float64."""
    matrix, _ = columns(matrix)
    return blas.dsymv(1.0, matrix, rows[0])[None] if len(rows) == 1 else blas.dsymm(1.0, matrix, rows.T).T


def columns(matrix: np.ndarray) -> tuple[np.ndarray, bool]:
    """The matrix or its transpose, whichever lies in memory column by column, and whether it is the transpose."""
    return (matrix, False) if matrix.flags.f_contiguous else (matrix.T, True)
