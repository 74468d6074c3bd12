"""What the classifier and the nearest class centre decide of examples: as in float64, at float32's speed.

Of many classes, the products are taken in float32 first, and whatever its rounding might make the greatest once more in
float64, which decides. A float32 product of two unit vectors of P numbers is off by at most about P 2^-24.
"""

import numpy as np

from .products import product, single_product

MANY = 128  # classes, from which float32 is worth its conversions
_CONTENDERS = 8  # for the greatest, on average: with more, everything is taken in float64
_NUMBERS = 2**17  # of rows that are multiplied pair by pair, at a time
_ROUNDING = 2.0**-24
_RANGE = 1e30  # that lengths may span in float32


class Decisions:
    """What a classifier and the nearest of C centres decide of examples that are given about `centre`.

    Parameters
    ----------
    centres: (C, P), float64. About their mean, near examples and centres both, no digits cancel.
    weight, bias: W (C, P), b (C,), float64; not needed for `nearest`.
    """

    def __init__(self, centres: np.ndarray, weight: np.ndarray | None = None, bias: np.ndarray | None = None):
        self.centre = centres.mean(0)
        centres = centres - self.centre
        self._nearest = _Scores(centres, -(centres**2).sum(1) / 2)
        if weight is not None:
            self._linear = _Scores(weight, weight @ self.centre + (0.0 if bias is None else bias))

    def nearest(self, rows: np.ndarray) -> np.ndarray:
        """argmin_c ‖x - centre_c‖, (n,) int64, of float64 rows x (n, P)."""
        screened = self._nearest.screen(rows)
        if screened is not None and (found := self._nearest.greatest(rows, *screened)) is not None:
            return found
        return (product(rows, self._nearest.table.T) + self._nearest.offsets).argmax(1)

    def linear(self, rows: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """argmax_c(<w_c, x + centre> + b_c), (n,) int64, and cos(x, w_label) - max_{c != label} cos(x, w_c), (n,)."""
        scores = self._linear
        screened = scores.screen(rows) if scores.norms.all() else None
        if screened is not None:
            decided, others = scores.greatest(rows, *screened), scores.greatest_cosine(rows, labels, *screened)
            if decided is not None and others is not None:
                return decided, _cosines(rows, scores.table[labels]) - others
        products = product(rows, scores.table.T)
        decided = (products + scores.offsets).argmax(1)
        with np.errstate(divide="ignore", invalid="ignore"):
            products /= scores.norms
            products /= _lengths(rows)[:, None]
        each = np.arange(len(rows))
        own = products[each, labels]
        products[each, labels] = -np.inf
        return decided, own - products.max(1)


class _Scores:
    """Scores <x, t_c> + offset_c of float64 rows x against the rows t_c of a table (C, P)."""

    def __init__(self, table: np.ndarray, offsets: np.ndarray):
        self.table, self.offsets, self.norms = table, offsets, _lengths(table)
        self._largest = self.norms.max()
        if len(table) >= MANY:
            units = table / np.where(self.norms > 0, self.norms, 1)[:, None]
            self._units = units.astype(np.float32)
            self._relative = (self.norms / self._largest).astype(np.float32)

    def screen(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """The cosines of rows and table, (n, C) float32, and the rows' lengths; None where float32 can't serve."""
        if len(self.table) < MANY:
            return None
        lengths = _lengths(rows)
        longest = lengths.max() * self._largest
        if not max(longest, np.abs(self.offsets).max()) < _RANGE * lengths.min() * self._largest:
            return None
        return single_product((rows / lengths[:, None]).astype(np.float32), self._units.T), lengths

    def greatest(self, rows: np.ndarray, cosines: np.ndarray, lengths: np.ndarray) -> np.ndarray | None:
        """argmax_c of the scores, (n,); None where too many are alike."""
        longest = lengths.max()
        offsets = self.offsets / (longest * self._largest)
        values = cosines * self._relative
        values *= (lengths / longest).astype(np.float32)[:, None]
        values += offsets.astype(np.float32)
        slack = 2 * _ROUNDING * ((rows.shape[1] + 8) * lengths / longest + 8 * np.abs(offsets).max())
        if (pairs := _contenders(values, slack)) is None:
            return None
        examples, classes = pairs
        several = np.bincount(examples)[examples] > 1
        found = np.zeros(len(examples))
        found[several] = _pair_products(rows, self.table, examples[several], classes[several])
        found[several] += self.offsets[classes[several]]
        return classes[_first_greatest(examples, found)]

    def greatest_cosine(
        self, rows: np.ndarray, labels: np.ndarray, cosines: np.ndarray, lengths: np.ndarray
    ) -> np.ndarray | None:
        """max_{c != label} cos(x, t_c), (n,); `cosines` lose those of the labels. None where too many are alike."""
        cosines[np.arange(len(rows)), labels] = -np.inf
        pairs = _contenders(cosines, np.full(len(rows), 2 * _ROUNDING * (rows.shape[1] + 8)))
        if pairs is None:
            return None
        examples, classes = pairs
        found = _pair_products(rows, self.table, examples, classes) / self.norms[classes] / lengths[examples]
        return found[_first_greatest(examples, found)]


def _contenders(values: np.ndarray, slack: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Rows and columns of what is the greatest of its row up to the row's slack; None where these are too many."""
    greatest = values.max(1) - slack.astype(np.float32)
    contending = np.flatnonzero(values >= greatest[:, None])
    return np.divmod(contending, values.shape[1]) if len(contending) <= _CONTENDERS * len(values) else None


def _first_greatest(examples: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Where the first of the greatest values of each example stands; those of an example follow on each other."""
    starts = np.flatnonzero(np.diff(examples, prepend=-1))
    greatest = np.flatnonzero(values == np.maximum.reduceat(values, starts)[examples])
    return greatest[np.flatnonzero(np.diff(examples[greatest], prepend=-1))]


def _pair_products(rows: np.ndarray, table: np.ndarray, examples: np.ndarray, classes: np.ndarray) -> np.ndarray:
    step = max(1, _NUMBERS // rows.shape[1])
    found = np.empty(len(examples))
    for start in range(0, len(examples), step):
        some = slice(start, start + step)
        found[some] = np.linalg.vecdot(rows[examples[some]], table[classes[some]])
    return found


def _cosines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.linalg.vecdot(first, second) / _lengths(first) / _lengths(second)


def _lengths(rows: np.ndarray) -> np.ndarray:
    return np.sqrt(np.linalg.vecdot(rows, rows))
