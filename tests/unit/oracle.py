"""The definitions of every measure, written down with loops and 50 digits (mpmath): slow, and nothing shared.

Features are a list of rows of float64 numbers, taken as exact. Singular matrices are inverted on the eigenvalues above
1e-30 of the largest: what the test cases have below is an exact zero.
"""

import itertools

import mpmath as mp
import numpy as np

mp.mp.dps = 50


class Oracle:
    """One set of features (N, P) and labels (N,), as mpmath matrices; every class or every "sample" counts the same."""

    def __init__(self, features: np.ndarray, labels: np.ndarray, classes: int, weighting: str = "class"):
        self.examples = [mp.matrix([mp.mpf(float(x)) for x in row]) for row in features]
        self.labels = [int(label) for label in labels]
        self.classes = classes
        members = [[h for h, y in zip(self.examples, self.labels, strict=True) if y == c] for c in range(classes)]
        self.counts = [mp.mpf(len(of_class)) for of_class in members]
        self.weights = [mp.mpf(1) / classes if weighting == "class" else n / len(labels) for n in self.counts]
        self.means = [_average(of_class) for of_class in members]
        self.global_mean = self._over_classes(self.means)
        self.centred = [mean - self.global_mean for mean in self.means]
        self.variances = [
            _average([_dot(h - mean, h - mean) for h in of_class])
            for of_class, mean in zip(members, self.means, strict=True)
        ]
        self.covariances = [
            _average([_outer(h - mean, h - mean) for h in of_class])
            for of_class, mean in zip(members, self.means, strict=True)
        ]
        self.within = self._over_classes(self.covariances)
        self.between = self._over_classes([_outer(m, m) for m in self.centred])
        self._for_any_lambda: dict[tuple[bytes, bytes | None], dict[str, mp.mpf]] = {}

    def _over_classes(self, values):
        terms = [weight * value for weight, value in zip(self.weights, values, strict=True)]
        return sum(terms[1:], terms[0])

    def least_squares_classifier(self, lam: float, bias: bool) -> tuple[mp.matrix, mp.matrix]:
        """W_LS and b_LS by the extended normal equations, (1/C) M~^T K~^+."""
        means, _, second_moment = self._extended(lam, bias)
        best = self._targets(means) * _pseudo_inverse(second_moment)
        features = best.cols - bias
        return best[:, :features], best[:, features] if bias else mp.zeros(self.classes, 1)

    def measures(self, weight: np.ndarray, bias: np.ndarray | None, lam: float) -> dict[str, mp.mpf]:
        weights = [mp.matrix([mp.mpf(float(x)) for x in row]) for row in weight]
        offsets = [mp.mpf(float(x)) for x in (np.zeros(len(weight)) if bias is None else bias)]
        key = weight.tobytes(), None if bias is None else bias.tobytes()
        if key not in self._for_any_lambda:
            self._for_any_lambda[key] = (
                self._of_examples(weights, offsets)
                | self._of_geometry(weights, offsets)
                | self._of_minorities(weights)
                | self._of_signal()
            )
        return self._for_any_lambda[key] | self._of_loss(weights, offsets, lam, bias)

    def _of_minorities(self, weights):
        """Cosines among the classes with fewer examples than the geometric mean of the most and the least."""
        most, least = max(self.counts), min(self.counts)
        rare = [c for c in range(self.classes) if self.counts[c] ** 2 < most * least]
        if most < 2 * least or len(rare) < 2:
            return {}
        middle = sum(self.means[1:], self.means[0]) / self.classes
        return {
            f"minority_cosine_{of}": _average(
                [_dot(a, b) / (_norm(a) * _norm(b)) for a, b in itertools.permutations([vectors[c] for c in rare], 2)]
            )
            for of, vectors in (("means", [mean - middle for mean in self.means]), ("classifier", weights))
        }

    def of_classes(self) -> dict[str, list[mp.mpf]]:
        spectra = [mp.eigsy(covariance, eigvals_only=True) for covariance in self.covariances]
        shares = [[value / sum(values) for value in values if value > mp.mpf("1e-40")] for values in spectra]
        return {
            "count": self.counts,
            "norm": [_norm(m) for m in self.centred],
            "variance": self.variances,
            "cdnv": [_average([self._cdnv(c, d) for d in range(self.classes) if d != c]) for c in range(self.classes)],
            "stable_rank": [1 / max(p) for p in shares],
            "effective_rank": [mp.exp(-sum(x * mp.log(x) for x in p)) for p in shares],
        }

    def _cdnv(self, c, d):
        return (self.variances[c] + self.variances[d]) / (2 * _norm(self.means[c] - self.means[d]) ** 2)

    def _targets(self, means):
        """Sum_c p_c e_c mu_c^T."""
        return _rows([weight * mean for weight, mean in zip(self.weights, means, strict=True)])

    def _of_signal(self):
        values, vectors = mp.eigsy(self.within)
        unknown = [j for j in range(len(values)) if values[j] <= mp.mpf("1e-30") * max(values)]
        along = self.between if not unknown else [vectors[:, j].T * self.between * vectors[:, j] for j in unknown]
        hidden = sum(x[0] for x in along) if unknown else mp.mpf(0)
        return {
            **{f"snr_{j}": omega for j, omega in enumerate(self.snr_spectrum(), 1)},
            "snr_rank": mp.mpf(len(values) - len(unknown)),
            "snr_unseen": hidden / _trace(self.between),
        }

    def snr_spectrum(self) -> list[mp.mpf]:
        m = _rows([mp.sqrt(self.classes * p) * m for p, m in zip(self.weights, self.centred, strict=True)])
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
        wrong, mismatched, nearest_wrong = ([[] for _ in range(self.classes)] for _ in range(3))
        margins = [[] for _ in range(self.classes)]
        for h, y in zip(self.examples, self.labels, strict=True):
            scores = [_dot(w, h) + b for w, b in zip(weights, offsets, strict=True)]
            distances = [_norm(h - mean) for mean in self.means]
            decided = scores.index(max(scores))
            nearest = distances.index(min(distances))
            wrong[y].append(mp.mpf(decided != y))
            nearest_wrong[y].append(mp.mpf(nearest != y))
            mismatched[y].append(mp.mpf(decided != nearest))
            cosines = [_cosine(w, h - self.global_mean) for w in weights]
            margins[y].append(cosines[y] - max(cosine for c, cosine in enumerate(cosines) if c != y))
        shares = {"error": wrong, "ncc_error": nearest_wrong, "ncc_mismatch": mismatched}
        found = {name: _average(_all(of_class)) for name, of_class in shares.items()} | {
            "cosine_margin": _average([_average(of_class) for of_class in margins]),
            "cosine_margin_min": min(min(of_class) for of_class in margins),
        }
        if len(set(self.counts)) == 1:
            return found
        for name, of_class in shares.items():
            found[f"{name}__class_weighted"] = _average([_average(values) for values in of_class])
        return found | {"cosine_margin__sample_weighted": _average(_all(margins))}

    def _of_geometry(self, weights, offsets):
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
            "alignment_std": _deviation([_cosine(w, m) for w, m in zip(weights, self.centred, strict=True)]),
            "bias_collapse": _norm(
                mp.matrix([_dot(w, self.global_mean) + b for w, b in zip(weights, offsets, strict=True)])
            ),
            "etf_error_duality": self._etf_error(weights, self.centred),
            "cdnv": _average([self._cdnv(c, d) for c, d in pairs]),
            "trace_ratio": _trace(self.within) / _trace(self.between),
            "numerical_rank": _trace(self.within + self.between) / largest,
        }

    def _of_frame(self, vectors, pairs, of):
        norms = [_norm(vector) for vector in vectors]
        cosines = [_cosine(vectors[c], vectors[d]) for c, d in pairs]
        units = [vector / norm for vector, norm in zip(vectors, norms, strict=True)]
        distances = [_norm(units[c] - units[d]) for c, d in pairs]
        energies = {"log": [mp.log(1 / d) for d in distances], "riesz": [1 / d for d in distances]}
        return {
            f"etf_error_{of}": self._etf_error(vectors, vectors),
            f"one_vs_rest_{of}": min(_hull_distance(u, [v for v in units if v is not u]) for u in units),
            **{f"{name}_energy_{of}": _average(values) for name, values in energies.items()},
            **{f"{name}_energy_variance_{of}": _deviation(values) ** 2 for name, values in energies.items()},
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
        best = self._targets(means) * _pseudo_inverse(second_moment)
        # The projection on the span of the rows of A is A^+ A = A^T (A A^T)^+ A.
        span = _rows(means).T * _pseudo_inverse(_rows(means) * _rows(means).T) * _rows(means)
        along = (weight - best) * span
        nc1_within = _trace(best * within * best.T) / 2
        nc1_decay = mp.mpf(lam) / 2 * _trace(best * best.T)
        misfits = best * _rows(means).T - mp.eye(self.classes)
        nc23 = self._over_classes([_dot(misfits[:, c], misfits[:, c]) for c in range(self.classes)]) / 2
        return {
            "loss": self._over_classes([_average(of_class) for of_class in residuals]) / 2 + decay,
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
        second_moment = within + self._over_classes([_outer(mean, mean) for mean in means]) + mp.mpf(lam) * mp.eye(size)
        return means, within, second_moment


def _hull_distance(point, others):
    """Distance of a point from the convex hull of others: the least to the affine hull of some, its nearest inside."""
    best = min(_norm(point - other) for other in others)
    for size in range(2, len(others) + 1):
        for some in itertools.combinations(others, size):
            edges = _rows([other - some[0] for other in some[1:]])
            gram = edges * edges.T
            if mp.det(gram) < mp.mpf("1e-40"):
                continue  # a lower-dimensional hull, which fewer of them span
            shares = mp.lu_solve(gram, edges * (point - some[0]))
            if min(shares) >= 0 and sum(shares) <= 1:
                best = min(best, _norm(point - some[0] - edges.T * shares))
    return best


def _all(of_classes):
    return [value for of_class in of_classes for value in of_class]


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
