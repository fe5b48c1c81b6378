"""The linear model of `router.features`: how it is fitted, and how it is changed by a few messages more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from scipy.special import log_softmax, softmax
from sklearn.linear_model import LogisticRegression

from router.features import DIMENSIONS, vectorise
from router.training_data import ROLES, Sample

REGULARISATION = 1.0  # inverse strength; chosen on held-out groups and tasks, flat between 1 and 4
TOLERANCE = 1e-3
# Messages that people wrote for exactly this weigh more than those made of parts.
SOURCE_WEIGHTS = {"message": 2.0, "unasked": 0.5}

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Data:
    """Samples as numbers: a row of features, a role and a weight each."""

    features: csr_matrix
    roles: npt.NDArray[np.int64]
    weights: Floats

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> Self:
        roles = np.array([ROLES.index(sample.role) for sample in samples])
        return cls(_features(samples), roles, weights(samples))

    def where(self, mask: npt.NDArray[np.bool_]) -> Data:
        return Data(self.features[mask], self.roles[mask], self.weights[mask])


@dataclass(frozen=True)
class Linear:
    """One logit for each role: weights (roles x features) and bias."""

    weights: Floats
    bias: Floats

    def logits(self, features: csr_matrix) -> Floats:
        return np.asarray(features @ self.weights.T + self.bias)


def fit(data: Data) -> Linear:
    """The logistic regression that makes the roles of the data most likely."""
    model = LogisticRegression(C=REGULARISATION, tol=TOLERANCE, max_iter=500)
    model.fit(data.features, data.roles, sample_weight=data.weights)
    return Linear(model.coef_, model.intercept_)


def fit_change(features: csr_matrix, offsets: Floats, targets: Floats, weights: Floats, effects: Floats) -> Linear:
    """The linear model that brings `offsets`, logits, near the probabilities `targets`; a penalty keeps it small.

    `effects` is how much of what it says counts for each row.
    """
    shape = (len(ROLES), DIMENSIONS + 1)

    def cost(flat: Floats) -> tuple[float, Floats]:
        table = flat.reshape(shape)
        logits = offsets + effects[:, None] * Linear(table[:, :-1], table[:, -1]).logits(features)
        surprise = -(weights * (log_softmax(logits, axis=1) * targets).sum(axis=1)).sum()
        error = (softmax(logits, axis=1) - targets) * (weights * effects)[:, None]
        gradient = np.column_stack([(features.T @ error).T, error.sum(axis=0)]) + table / REGULARISATION
        return float(surprise + (table**2).sum() / (2 * REGULARISATION)), gradient.ravel()

    found = minimize(cost, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B", options={"ftol": 1e-6})
    table = found.x.reshape(shape)
    return Linear(table[:, :-1], table[:, -1])


def weights(samples: Sequence[Sample]) -> Floats:
    """Every role weighs the same within a source, so that no source tells a role by its mere frequency."""
    counts = Counter((sample.source, sample.role) for sample in samples)
    totals = Counter(sample.source for sample in samples)
    roles = Counter(source for source, _ in counts)
    return np.array(
        [
            sample.weight
            * SOURCE_WEIGHTS.get(sample.source, 1.0)
            * totals[sample.source]
            / (roles[sample.source] * counts[sample.source, sample.role])
            for sample in samples
        ]
    )


def _features(samples: Sequence[Sample]) -> csr_matrix:
    vectors = [vectorise(sample.text, sample.context) for sample in samples]
    ends = np.cumsum([0, *(len(vector.indices) for vector in vectors)])
    indices = np.concatenate([vector.indices for vector in vectors])
    values = np.concatenate([vector.values for vector in vectors])
    return csr_matrix((values, indices, ends), shape=(len(samples), DIMENSIONS))
