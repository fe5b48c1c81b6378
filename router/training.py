"""Fits the role classifier: samples in, artefact out, the same bytes for the same samples.

Logistic regression on `router.features`. Its probabilities are calibrated by one temperature (Guo et al. 2017,
"On Calibration of Modern Neural Networks"), fitted on folds that share no instruction and no message with what
the model of that fold was fitted on.
"""

from __future__ import annotations

import hashlib
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import scipy
import sklearn
from scipy.optimize import minimize, minimize_scalar
from scipy.sparse import csr_matrix
from scipy.special import log_softmax, softmax
from sklearn.linear_model import LogisticRegression

from router import metrics
from router.classifier import RoleClassifier, save
from router.features import DIMENSIONS, VERSION, vectorise
from router.training_data import ROLES, Sample, data_hash, own_samples

FOLDS = 3
REGULARISATION = 1.0  # inverse strength; chosen on held-out groups and tasks, flat between 1 and 4
TOLERANCE = 1e-3
# Messages that people wrote for exactly this weigh more than those made of parts.
SOURCE_WEIGHTS = {"message": 3.0, "instruction": 3.0, "unasked": 0.5}
EXTRA_WEIGHT = 5.0  # of a message that a refit learns: one or two of a kind turn a doubtful case
BINS = 10

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Data:
    """Samples as numbers: a row of features, a role and a weight each."""

    features: csr_matrix
    roles: npt.NDArray[np.int64]
    weights: Floats

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> Self:
        roles = np.array([ROLES.index(sample.role) for sample in samples])
        return cls(_features(samples), roles, _weights(samples))

    def where(self, mask: npt.NDArray[np.bool_]) -> _Data:
        return _Data(self.features[mask], self.roles[mask], self.weights[mask])


@dataclass(frozen=True)
class _Linear:
    """One logit for each role: weights (roles x features) and bias."""

    weights: Floats
    bias: Floats

    def logits(self, features: csr_matrix) -> Floats:
        return np.asarray(features @ self.weights.T + self.bias)


def fit(samples: Sequence[Sample], seed: int, progress: Callable[[str], None] = lambda line: None) -> bytes:
    """The artefact of a classifier fitted on `samples`."""
    progress(f"Reading {len(samples)} messages.")
    data = _Data.of(samples)
    roles = data.roles
    held_out = _held_out_logits(data, _folds(samples), progress)
    temperature = _temperature(held_out, roles)
    progress("Fitting on everything.")
    model = _fit(data)
    metadata = {
        "features": VERSION,
        "data_sha256": data_hash(samples),
        "samples": len(samples),
        "seed": seed,
        "versions": {"numpy": np.__version__, "scipy": scipy.__version__, "scikit-learn": sklearn.__version__},
        "temperature": round(temperature, 4),
        "metrics": _metrics(held_out / temperature, roles, samples),
        "thresholds": _thresholds(held_out / temperature, roles),
    }
    return save(ROLES, model.weights.T / temperature, model.bias / temperature, metadata)


def refit(
    base_artefact: bytes, extra: Sequence[Sample], seed: int, report: Callable[[str], None] = lambda line: None
) -> bytes:
    """The artefact that `base_artefact` becomes when it learns `extra` samples too; takes about a minute.

    What is fitted is the change of the linear model. Of the project's own messages it is to keep what the base says
    (learning without forgetting, Li & Hoiem 2016), so nothing else moves, and what the base learnt from messages that
    are not at hand here stays. The metadata has figures of all samples and of each source: `before`, of the base, and
    `metrics`, of changes fitted without the fold that they are scored on. The base has seen the project's own
    messages; of the extra ones both figures are held out.
    Raises `ArtefactError`.
    """
    base = RoleClassifier.load(base_artefact)
    samples = [*own_samples(seed), *extra]
    report(f"Reading {len(samples)} messages, {len(extra)} of them extra.")
    data, folds, is_extra = _Data.of(samples), _folds(samples), np.arange(len(samples)) >= len(samples) - len(extra)
    before = np.asarray(data.features @ base.weights.astype(float) + base.bias)
    targets = np.where(is_extra[:, None], np.eye(len(ROLES))[data.roles], softmax(before, axis=1))
    weights = np.where(is_extra, [EXTRA_WEIGHT * sample.weight for sample in samples], 1.0)
    after = before.copy()
    for fold in range(FOLDS):
        report(f"Fitting fold {fold + 1} of {FOLDS}.")
        seen = folds != fold
        change = _fit_change(data.features[seen], before[seen], targets[seen], weights[seen])
        after[~seen] += change.logits(data.features[~seen])
    report("Fitting on everything.")
    change = _fit_change(data.features, before, targets, weights)
    metadata = {
        **base.metadata,
        "base_sha256": hashlib.sha256(base_artefact).hexdigest(),
        "data_sha256": data_hash(samples),
        "samples": len(samples),
        "seed": seed,
        "before": _metrics(before, data.roles, samples),
        "metrics": _metrics(after, data.roles, samples),
    }
    return save(base.roles, base.weights + change.weights.T, base.bias + change.bias, metadata)


def _features(samples: Sequence[Sample]) -> csr_matrix:
    vectors = [vectorise(sample.text, sample.context) for sample in samples]
    ends = np.cumsum([0, *(len(vector.indices) for vector in vectors)])
    indices = np.concatenate([vector.indices for vector in vectors])
    values = np.concatenate([vector.values for vector in vectors])
    return csr_matrix((values, indices, ends), shape=(len(samples), DIMENSIONS))


def _weights(samples: Sequence[Sample]) -> Floats:
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


def _fit(data: _Data) -> _Linear:
    model = LogisticRegression(C=REGULARISATION, tol=TOLERANCE, max_iter=500)
    model.fit(data.features, data.roles, sample_weight=data.weights)
    return _Linear(model.coef_, model.intercept_)


def _fit_change(features: csr_matrix, offsets: Floats, targets: Floats, weights: Floats) -> _Linear:
    """The linear model that brings `offsets`, logits, near the probabilities `targets`; a penalty keeps it small."""
    shape = (len(ROLES), DIMENSIONS + 1)

    def cost(flat: Floats) -> tuple[float, Floats]:
        table = flat.reshape(shape)
        logits = offsets + _Linear(table[:, :-1], table[:, -1]).logits(features)
        surprise = -(weights * (log_softmax(logits, axis=1) * targets).sum(axis=1)).sum()
        error = (softmax(logits, axis=1) - targets) * weights[:, None]
        gradient = np.column_stack([(features.T @ error).T, error.sum(axis=0)]) + table / REGULARISATION
        return float(surprise + (table**2).sum() / (2 * REGULARISATION)), gradient.ravel()

    found = minimize(cost, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B", options={"ftol": 1e-6})
    table = found.x.reshape(shape)
    return _Linear(table[:, :-1], table[:, -1])


def _folds(samples: Sequence[Sample]) -> npt.NDArray[np.int64]:
    """The fold of each sample; a group is never divided."""
    return np.array([zlib.crc32(sample.group.encode("utf-8", "replace")) % FOLDS for sample in samples])


def _held_out_logits(data: _Data, folds: npt.NDArray[np.int64], progress: Callable[[str], None]) -> Floats:
    """The logits of every sample by a model that has not seen its group."""
    logits = np.zeros((len(folds), len(ROLES)))
    for fold in range(FOLDS):
        progress(f"Fitting fold {fold + 1} of {FOLDS}.")
        logits[folds == fold] = _fit(data.where(folds != fold)).logits(data.where(folds == fold).features)
    return logits


def _temperature(logits: Floats, roles: npt.NDArray[np.int64]) -> float:
    """The number that logits are divided by to make the truth most likely."""

    def surprise(temperature: float) -> float:
        return -float(log_softmax(logits / temperature, axis=1)[np.arange(len(roles)), roles].mean())

    return float(minimize_scalar(surprise, bounds=(0.1, 10), method="bounded").x)


def _metrics(logits: Floats, roles: npt.NDArray[np.int64], samples: Sequence[Sample]) -> dict[str, Any]:
    """Held-out figures: of all samples, and the accuracy by source."""
    best = logits.argmax(axis=1)
    figures = metrics.scores([ROLES[role] for role in roles], [ROLES[role] for role in best], ROLES)
    sources = np.array([sample.source for sample in samples])
    return {
        "accuracy": round(figures["accuracy"], 4),
        "macro_f1": round(figures["macro_f1"], 4),
        "calibration_error": round(_calibration_error(logits, roles), 4),
        "accuracy_by_source": {
            source: round(float((best == roles)[sources == source].mean()), 4) for source in sorted(set(sources))
        },
    }


def _calibration_error(logits: Floats, roles: npt.NDArray[np.int64]) -> float:
    """Expected calibration error: the mean distance of confidence and accuracy over bins of confidence."""
    confidence = np.exp(log_softmax(logits, axis=1)).max(axis=1)
    is_right = logits.argmax(axis=1) == roles
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [abs(float((confidence - is_right)[bins == number].sum())) for number in range(BINS)]
    return sum(gaps) / len(roles)


def _thresholds(logits: Floats, roles: npt.NDArray[np.int64]) -> dict[str, float]:
    """Per role, the probability below which the default (`generate`) is right at least as often."""
    probabilities = np.exp(log_softmax(logits, axis=1))
    best, default = probabilities.argmax(axis=1), ROLES.index("generate")
    thresholds = {}
    for role, name in enumerate(ROLES):
        chosen = (best == role) & (role != default)
        gain = (roles == role).astype(int) - (roles == default).astype(int)
        candidates = [step / 100 for step in range(33, 91)]
        kept = [int(gain[chosen & (probabilities[:, role] >= candidate)].sum()) for candidate in candidates]
        thresholds[name] = candidates[int(np.argmax(kept))] if chosen.any() else 0.0
    return thresholds
