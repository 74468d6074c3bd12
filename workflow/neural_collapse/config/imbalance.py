"""How many train examples each class keeps where classes are imbalanced."""

import math


def class_counts(classes: int, largest: int, ratio: float, profile: str) -> list[int]:
    """Examples of each class, the first having the most; `ratio` is that of the largest class to the smallest.

    Parameters
    ----------
    profile: "long_tailed" for largest * ratio^(-c/(C-1)), rounded down (Cao et al. 2019, arXiv 1906.07413, appendix;
        Cui et al. 2019, arXiv 1901.05555); "step" for `largest` in the first half of the classes, the middle one
        included, and largest/ratio in the others (Buda et al. 2018, arXiv 1710.05381, section 3.1).
    """
    if profile == "step":
        shares = [1.0 if 2 * c < classes else 1 / ratio for c in range(classes)]
    else:
        shares = [ratio ** (-c / (classes - 1)) for c in range(classes)]
    return [math.floor(largest * share + 1e-9) for share in shares]  # 50, where 5000/100 comes out as less
