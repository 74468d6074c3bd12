"""How far unit vectors can be from each other: as proved, as a solid shows, and as searched for."""

import numpy as np
import pytest

from neural_collapse.metrics.pairs import one_vs_rest_distances
from neural_collapse.theory.spherical_codes import greatest_one_vs_rest, search_code


@pytest.mark.parametrize("classes, features", [(4, 3), (7, 2), (6, 3), (7, 4)])
def test_a_search_comes_to_what_is_proved_and_not_beyond(classes, features):
    code = search_code(classes, features, seed=0)
    np.testing.assert_allclose(np.linalg.norm(code, axis=1), 1)
    found, proved = one_vs_rest_distances(code).min(), greatest_one_vs_rest(classes, features)
    assert proved - 1e-4 < found <= proved + 1e-12


def test_twelve_classes_are_an_icosahedron():
    assert greatest_one_vs_rest(12, 3) == pytest.approx(1 - 5**-0.5, abs=1e-4)


def test_what_is_proved_is_the_distance_of_codes_that_have_it():
    turns = 2 * np.pi * np.arange(10) / 10
    simplex = np.eye(4) - 1 / 4
    codes = [
        (np.stack([np.cos(turns), np.sin(turns)], 1), (10, 2)),
        (simplex, (4, 3)),
        (np.kron(np.eye(3), [[1], [-1]]), (6, 3)),  # an orthoplex
        (np.array([[1.0], [-1.0], [1.0]]), (3, 1)),
    ]
    for code, sizes in codes:
        assert one_vs_rest_distances(code).min() == pytest.approx(greatest_one_vs_rest(*sizes))


def test_more_features_never_bring_classes_closer():
    distances = [greatest_one_vs_rest(6, features) for features in range(1, 8)]
    assert distances == sorted(distances)
