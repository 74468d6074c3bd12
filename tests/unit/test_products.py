"""Products by SciPy's BLAS, of arrays in any order in memory."""

import numpy as np
import pytest

from neural_collapse.features.products import add_squares, product, symmetric_times

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("left_order", ["C", "F"])
@pytest.mark.parametrize("right_order", ["C", "F"])
def test_a_product_of_matrices(left_order, right_order):
    left, right = RANDOM.standard_normal((3, 5)), RANDOM.standard_normal((5, 4))
    found = product(left.copy(left_order), right.copy(right_order))
    np.testing.assert_allclose(found, np.einsum("ij,jk->ik", left, right), rtol=1e-13)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_rows_times_a_symmetric_matrix(order, count):
    matrix, rows = RANDOM.standard_normal((5, 5)), RANDOM.standard_normal((count, 5))
    matrix += matrix.T
    found = symmetric_times(matrix.copy(order), rows)
    np.testing.assert_allclose(found, np.einsum("ij,jk->ik", rows, matrix), rtol=1e-12, atol=1e-13)


def test_squares_are_added_in_place():
    rows, total = RANDOM.standard_normal((7, 5)), np.ones((5, 5), order="F")
    assert add_squares(total, rows) is total
    np.testing.assert_allclose(np.triu(total), np.triu(1 + np.einsum("ij,ik->jk", rows, rows)), rtol=1e-13)
