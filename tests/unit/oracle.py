"""The definitions of every measure, written down with loops and 50 digits (mpmath): slow, and nothing shared.

Features are a list of rows of float64 numbers, taken as exact. Singular matrices are inverted on the eigenvalues above
1e-30 of the largest: what the test cases have below is an exact zero.
"""

import mpmath as mp
import numpy as np

mp.mp.dps = 50


class Oracle:
    """One set of features (N, P) and labels (N,), as mpmath matrices."""

    def __init__(self, features: np.ndarray, labels: np.ndarray, classes: int):
        self.examples = [mp.matrix([mp.mpf(float(x)) for x in row]) for row in features]
        self.labels = [int(label) for label in labels]
        self.classes = classes
        members = [[h for h, y in zip(self.examples, self.labels, strict=True) if y == c] for c in range(classes)]
        self.means = [_average(of_class) for of_class in members]
        self.global_mean = _average(self.means)
        self.centred = [mean - self.global_mean for mean in self.means]
        self.variances = [
            _average([_dot(h - mean, h - mean) for h in of_class])
            for of_class, mean in zip(members, self.means, strict=True)
        ]
        self.within = _average(
            [
                _average([_outer(h - mean, h - mean) for h in of_class])
                for of_class, mean in zip(members, self.means, strict=True)
            ]
        )
        self.between = _average([_outer(m, m) for m in self.centred])

    def least_squares_classifier(self, lam: float, bias: bool) -> tuple[mp.matrix, mp.matrix]:
        """W_LS and b_LS by the extended normal equations, (1/C) M~^T K~^+."""
        means, _, second_moment = self._extended(lam, bias)
        best = _rows(means) / self.classes * _pseudo_inverse(second_moment)
        features = best.cols - bias
        return best[:, :features], best[:, features] if bias else mp.zeros(self.classes, 1)

    def measures(self, weight: np.ndarray, bias: np.ndarray | None, lam: float) -> dict[str, mp.mpf]:
        weights = [mp.matrix([mp.mpf(float(x)) for x in row]) for row in weight]
        offsets = [mp.mpf(float(x)) for x in (np.zeros(len(weight)) if bias is None else bias)]
        return (
            self._of_examples(weights, offsets)
            | self._of_geometry(weights)
            | self._of_loss(weights, offsets, lam, bias)
        )

    def snr_spectrum(self) -> list[mp.mpf]:
        m = _rows(self.centred)
        values = mp.eigsy(m * _pseudo_inverse(self.within) * m.T, eigvals_only=True)
        return sorted((mp.sqrt(abs(value)) for value in values), reverse=True)[: self.classes - 1]

    def regularised_snr(self, lam: float) -> list[mp.mpf]:
        lam = mp.mpf(lam)
        size, kappa = len(self.global_mean), lam / (1 + lam)
        noise = self.within + lam * mp.eye(size) + kappa * _outer(self.global_mean, self.global_mean)
        m = _rows(self.centred)
        values = mp.eigsy(m * _pseudo_inverse(noise) * m.T, eigvals_only=True)
        return sorted((mp.sqrt(abs(value)) for value in values), reverse=True)[: self.classes - 1]

    def _of_examples(self, weights, offsets):
        wrong = mismatched = 0
        margins = [[] for _ in range(self.classes)]
        for h, y in zip(self.examples, self.labels, strict=True):
            scores = [_dot(w, h) + b for w, b in zip(weights, offsets, strict=True)]
            distances = [_norm(h - mean) for mean in self.means]
            decided = scores.index(max(scores))
            wrong += decided != y
            mismatched += decided != distances.index(min(distances))
            cosines = [_cosine(w, h - self.global_mean) for w in weights]
            margins[y].append(cosines[y] - max(cosine for c, cosine in enumerate(cosines) if c != y))
        return {
            "error": mp.mpf(wrong) / len(self.labels),
            "ncc_mismatch": mp.mpf(mismatched) / len(self.labels),
            "cosine_margin": _average([_average(of_class) for of_class in margins]),
            "cosine_margin_min": min(min(of_class) for of_class in margins),
        }

    def _of_geometry(self, weights):
        pairs = [(c, d) for c in range(self.classes) for d in range(self.classes) if c != d]
        classifier, means = _flat(weights), _flat(self.centred)
        duality = classifier / _norm(classifier) - means / _norm(means)
        largest = max(mp.eigsy(self.within + self.between, eigvals_only=True))
        return {
            "nc1": _trace(self.within * _pseudo_inverse(self.between)) / self.classes,
            **self._of_frame(self.centred, pairs, "means"),
            "global_mean_ratio": _norm(self.global_mean) / _average([_norm(mean) for mean in self.centred]),
            **self._of_frame(weights, pairs, "classifier"),
            "self_duality": _dot(duality, duality),
            "alignment": _average([_cosine(w, m) for w, m in zip(weights, self.centred, strict=True)]),
            "etf_error_classifier": self._etf_error(weights, weights),
            "etf_error_duality": self._etf_error(weights, self.centred),
            "cdnv": _average(
                [
                    (self.variances[c] + self.variances[d]) / (2 * _norm(self.means[c] - self.means[d]) ** 2)
                    for c, d in pairs
                ]
            ),
            "trace_ratio": _trace(self.within) / _trace(self.between),
            "numerical_rank": _trace(self.within + self.between) / largest,
        }

    def _of_frame(self, vectors, pairs, of):
        norms = [_norm(vector) for vector in vectors]
        cosines = [_cosine(vectors[c], vectors[d]) for c, d in pairs]
        return {
            f"equinorm_{of}": _deviation(norms) / _average(norms),
            f"equiangularity_{of}": _deviation(cosines),
            f"max_angle_{of}": _average([abs(cosine + mp.mpf(1) / (self.classes - 1)) for cosine in cosines]),
            f"norm_{of}": _average(norms),
        }

    def _etf_error(self, first, second):
        product = _rows(first) * _rows(second).T
        simplex = (mp.eye(self.classes) - mp.ones(self.classes) / self.classes) / mp.sqrt(self.classes - 1)
        return mp.mnorm(product / mp.mnorm(product, "f") - simplex, "f")

    def _of_loss(self, weights, offsets, lam, bias):
        residuals = [[] for _ in range(self.classes)]
        for h, y in zip(self.examples, self.labels, strict=True):
            outputs = [_dot(w, h) + b for w, b in zip(weights, offsets, strict=True)]
            residuals[y].append(sum((output - (c == y)) ** 2 for c, output in enumerate(outputs)))
        decay = mp.mpf(lam) / 2 * (sum(_dot(w, w) for w in weights) + sum(b * b for b in offsets))

        means, within, second_moment = self._extended(lam, bias is not None)
        weight = _rows(
            [mp.matrix([*w, b] if bias is not None else [*w]) for w, b in zip(weights, offsets, strict=True)]
        )
        best = _rows(means) / self.classes * _pseudo_inverse(second_moment)
        # The projection on the span of the rows of A is A^+ A = A^T (A A^T)^+ A.
        span = _rows(means).T * _pseudo_inverse(_rows(means) * _rows(means).T) * _rows(means)
        along = (weight - best) * span
        nc1_within = _trace(best * within * best.T) / 2
        nc1_decay = mp.mpf(lam) / 2 * _trace(best * best.T)
        nc23 = mp.mnorm(best * _rows(means).T - mp.eye(self.classes), "f") ** 2 / (2 * self.classes)
        return {
            "loss": _average([_average(of_class) for of_class in residuals]) / 2 + decay,
            "loss_ls": nc1_within + nc1_decay + nc23,
            "loss_nc1": nc1_within + nc1_decay,
            "loss_nc1_within": nc1_within,
            "loss_nc1_decay": nc1_decay,
            "loss_nc23": nc23,
            "loss_perp": _trace((weight - best) * second_moment * (weight - best).T) / 2,
            "classifier_distance": mp.mnorm(weight - best, "f") / mp.mnorm(best, "f"),
            "distance_in_span": mp.mnorm(along, "f") / mp.mnorm(best, "f"),
            "distance_outside_span": mp.mnorm(weight - best - along, "f") / mp.mnorm(best, "f"),
        }

    def _extended(self, lam, bias):
        """Class means, Sigma_W and Ave h h^T + lambda I, extended by a feature that is 1 where there is a bias."""
        means = [mp.matrix([*mean, 1]) if bias else mean for mean in self.means]
        size = len(means[0])
        within = mp.zeros(size)
        within[: self.within.rows, : self.within.cols] = self.within
        second_moment = within + _average([_outer(mean, mean) for mean in means]) + mp.mpf(lam) * mp.eye(size)
        return means, within, second_moment


def _average(values):
    return sum(values[1:], values[0]) / len(values)


def _deviation(values):
    return mp.sqrt(_average([(value - _average(values)) ** 2 for value in values]))


def _dot(x, y):
    return mp.fdot(x, y)


def _norm(x):
    return mp.sqrt(_dot(x, x))


def _cosine(x, y):
    return _dot(x, y) / _norm(x) / _norm(y)


def _outer(x, y):
    return x * y.T


def _rows(vectors):
    return mp.matrix([list(vector) for vector in vectors])


def _flat(vectors):
    return mp.matrix([x for vector in vectors for x in vector])


def _trace(matrix):
    return sum(matrix[i, i] for i in range(matrix.rows))


def _pseudo_inverse(matrix):
    values, vectors = mp.eigsy(matrix)
    inverse = [1 / value if value > mp.mpf("1e-30") * max(values) else mp.mpf(0) for value in values]
    return vectors * mp.diag(inverse) * vectors.T
