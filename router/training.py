"""Fits the role classifier: samples in, artefact out, the same bytes for the same samples.

Three steps: logistic regression on `router.features`, a MiniLM tuned to tell roles, and the join of both. Whatever
is fitted on what they say (temperature, join, thresholds) and every figure comes from messages that share no
instruction and no text with what the model was fitted on: folds for the first, a part kept back for the others.
"""

from __future__ import annotations

import dataclasses
import hashlib
import random
import zlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import scipy
import sklearn
from scipy.special import softmax

from router import features, joining, linear, metrics, patterns, training_data
from router.classifier import Join, RoleClassifier, save
from router.linear import Data, Floats
from router.policy import Adapted, Encoder
from router.training_data import ROLES, Sample, data_hash, own_samples

FOLDS = 3
KEPT = 6  # one group of so many is not shown to the encoder: the join is fitted and both are scored on it
EXTRA_WEIGHT = 5.0  # of a message that a refit learns: one or two of a kind turn a doubtful case
# What the encoder is tuned on, of each source and role; more costs time and tells it nothing new.
TUNED_ON = {"joined": 1500, "pattern": 250, "unasked": 150, "dolly": 500}

Report = Callable[[str], None]
Tensors = Mapping[str, npt.NDArray[Any]]


class Tuner(Encoder, Protocol):
    """An encoder that can be tuned."""

    def versions(self) -> Mapping[str, str]:
        """Of what the tensors depend on besides the messages: libraries and weights, by name."""
        ...

    def tuned(
        self,
        messages: Sequence[tuple[str, str]],
        targets: Sequence[int],
        weights: Sequence[float],
        seed: int,
        report: Report,
        /,
    ) -> Tensors:
        """Messages (text, context) with targets and weights to an artefact's tensors."""
        ...


def fit(
    samples: Sequence[Sample], seed: int, report: Report = lambda line: None, encoder: Tuner | None = None
) -> bytes:
    """The artefact of a classifier fitted on `samples`, without a tuned encoder if none is given."""
    report(f"Reading {len(samples)} messages.")
    data, folds = Data.of(samples), _folds(samples)
    held_out = _held_out_logits(data, folds, report)
    temperature = joining.temperature(held_out, data.roles)
    held_out /= temperature
    report("Fitting the linear model on everything.")
    model = linear.fit(data)
    metadata = {
        "features": features.VERSION,
        "data_sha256": data_hash(samples),
        "samples": len(samples),
        "seed": seed,
        "versions": {**_versions(), **(encoder.versions() if encoder else {})},
        "temperature": round(temperature, 4),
        "metrics": _metrics(held_out, data.roles, samples),
        "thresholds": _thresholds(held_out, data.roles),
    }
    weights, bias = model.weights.T / temperature, model.bias / temperature
    if encoder is None:
        return save(ROLES, weights, bias, metadata)
    drawn = _drawn(samples, seed)
    tensors = _tuned([sample for sample in drawn if not _is_kept(sample)], seed, encoder, report)
    report("Joining both.")
    kept = [sample for sample in drawn if _is_kept(sample)]
    rows = dict(zip(samples, held_out, strict=True))
    alone, tuned = np.array([rows[sample] for sample in kept]), tuned_logits(kept, encoder.adapted(tensors))
    join, figures = _joined(kept, alone, tuned)
    return save(ROLES, weights, bias, {**metadata, **figures}, tensors, join)


def refit(
    base_artefact: bytes,
    extra: Sequence[Sample],
    seed: int,
    report: Report = lambda line: None,
    encoder: Encoder | None = None,
) -> bytes:
    """The artefact that `base_artefact` becomes when it learns `extra` samples too; takes a minute or two.

    What is fitted is the change of the linear model; the tuned encoder and the join are the base's. Of the project's
    own messages it is to keep what the base says (learning without forgetting, Li & Hoiem 2016), so nothing else moves,
    and what the base learnt from messages that are not at hand here stays. With `encoder` the change is fitted to make
    the extra samples right once both models are joined, without it for the linear model alone.

    The metadata has figures of all samples and of each source: `before`, of the base, and `metrics`, of changes fitted
    without the fold that they are scored on. The base has seen the project's own messages, for which the linear model
    is scored; of the extra ones both figures are held out. Raises `ArtefactError`.
    """
    base = RoleClassifier.load(base_artefact, encoder)
    samples = [*own_samples(seed), *extra]
    report(f"Reading {len(samples)} messages, {len(extra)} of them extra.")
    data, folds, is_extra = Data.of(samples), _folds(samples), np.arange(len(samples)) >= len(samples) - len(extra)
    before = np.asarray(data.features @ base.weights.astype(float) + base.bias)
    effects = np.ones(len(samples))  # of a change of the linear model on what decides
    if extra and base.adapted and base.join:
        asked = is_extra & (softmax(before, axis=1).max(axis=1) < base.join.certain)
        told = tuned_logits([sample for sample, is_asked in zip(samples, asked, strict=True) if is_asked], base.adapted)
        before[asked] = base.join.logits(before[asked], told.reshape(-1, len(base.roles)))
        effects[asked] = base.join.linear
    targets = np.where(is_extra[:, None], np.eye(len(ROLES))[data.roles], softmax(before, axis=1))
    weights = np.where(is_extra, [EXTRA_WEIGHT * sample.weight for sample in samples], 1.0)
    after = before.copy()
    for fold in range(FOLDS):
        report(f"Fitting fold {fold + 1} of {FOLDS}.")
        seen = folds != fold
        change = linear.fit_change(data.features[seen], before[seen], targets[seen], weights[seen], effects[seen])
        after[~seen] += effects[~seen, None] * change.logits(data.features[~seen])
    report("Fitting on everything.")
    change = linear.fit_change(data.features, before, targets, weights, effects)
    metadata = {
        **base.metadata,
        "base_sha256": base.sha256,
        "data_sha256": data_hash(samples),
        "samples": len(samples),
        "seed": seed,
        "before": _metrics(before, data.roles, samples),
        "metrics": _metrics(after, data.roles, samples),
    }
    changed = base.weights + change.weights.T
    return save(base.roles, changed, base.bias + change.bias, metadata, base.tensors, base.join)


def _versions() -> dict[str, str]:
    libraries = {"numpy": np.__version__, "scipy": scipy.__version__, "scikit-learn": sklearn.__version__}
    modules = (features, joining, linear, patterns, training_data)
    files = (__file__, *(str(module.__file__) for module in modules))
    code = hashlib.sha256(b"".join(Path(file).read_bytes() for file in files))
    return libraries | {"router": code.hexdigest()[:16]}


def _joined(samples: Sequence[Sample], alone: Floats, tuned: Floats) -> tuple[Join, dict[str, Any]]:
    """How to join what both models say of samples that they have not seen, and the figures of each and of both."""
    roles = np.array([ROLES.index(sample.role) for sample in samples])
    join = joining.fit_join(alone, tuned, roles, linear.weights(samples))
    join = dataclasses.replace(join, certain=joining.certain(join, alone, tuned, roles))
    both = join.logits(alone, tuned)
    figures = {
        "linear": _metrics(alone, roles, samples),
        "tuned": _metrics(tuned, roles, samples),
        "joined": _metrics(both, roles, samples),
        "thresholds": _thresholds(both, roles),
    }
    return join, figures


def tuned_logits(samples: Sequence[Sample], adapted: Adapted) -> Floats:
    """What a tuned encoder says of each sample, a row each."""
    return np.array([adapted(sample.text, sample.context) for sample in samples], dtype=np.float64)


def _tuned(samples: Sequence[Sample], seed: int, encoder: Tuner, report: Report) -> Tensors:
    report(f"Tuning the encoder on {len(samples)} messages.")
    weights = linear.weights(samples)
    return encoder.tuned(
        [(sample.text, sample.context) for sample in samples],
        [ROLES.index(sample.role) for sample in samples],
        (weights / weights.mean()).tolist(),
        seed,
        report,
    )


def _drawn(samples: Sequence[Sample], seed: int) -> list[Sample]:
    """The samples that the encoder is tuned on: all that were written whole, some of what was drawn or joined."""
    rng = random.Random(seed)  # noqa: S311 (not for secrets)
    kinds: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for sample in dict.fromkeys(samples):
        kinds[sample.source, sample.role].append(sample)
    return [
        sample
        for (source, _), found in sorted(kinds.items())
        for sample in rng.sample(found, min(len(found), TUNED_ON.get(source, len(found))))
    ]


def _folds(samples: Sequence[Sample]) -> npt.NDArray[np.int64]:
    """The fold of each sample; a group is never divided."""
    return np.array([_number(sample) % FOLDS for sample in samples])


def _is_kept(sample: Sample) -> bool:
    return _number(sample) % KEPT == 0


def _number(sample: Sample) -> int:
    """A number that all samples of a group have in common."""
    return zlib.crc32(sample.group.encode("utf-8", "replace"))


def _held_out_logits(data: Data, folds: npt.NDArray[np.int64], report: Report) -> Floats:
    """The logits of every sample by a linear model that has not seen its group."""
    logits = np.zeros((len(folds), len(ROLES)))
    for fold in range(FOLDS):
        report(f"Fitting fold {fold + 1} of {FOLDS}.")
        logits[folds == fold] = linear.fit(data.where(folds != fold)).logits(data.where(folds == fold).features)
    return logits


def _metrics(logits: Floats, roles: npt.NDArray[np.int64], samples: Sequence[Sample]) -> dict[str, Any]:
    """Held-out figures: of all samples, and the accuracy by source."""
    best = logits.argmax(axis=1)
    is_right = best == roles
    figures = metrics.scores([ROLES[role] for role in roles], [ROLES[role] for role in best], ROLES)
    sources = np.array([sample.source for sample in samples])
    confidence = softmax(logits, axis=1).max(axis=1)
    return {
        "accuracy": round(figures["accuracy"], 4),
        "macro_f1": round(figures["macro_f1"], 4),
        "calibration_error": round(metrics.calibration_error(confidence.tolist(), is_right.tolist()), 4),
        "accuracy_by_source": {
            source: round(float(is_right[sources == source].mean()), 4) for source in sorted(set(sources))
        },
    }


def _thresholds(logits: Floats, roles: npt.NDArray[np.int64]) -> dict[str, float]:
    """Per role, the probability below which the default (`generate`) is right at least as often."""
    probabilities = softmax(logits, axis=1)
    best, default = probabilities.argmax(axis=1), ROLES.index("generate")
    thresholds = {}
    for role, name in enumerate(ROLES):
        chosen = (best == role) & (role != default)
        gain = (roles == role).astype(int) - (roles == default).astype(int)
        candidates = [step / 100 for step in range(33, 91)]
        kept = [int(gain[chosen & (probabilities[:, role] >= candidate)].sum()) for candidate in candidates]
        thresholds[name] = candidates[int(np.argmax(kept))] if chosen.any() else 0.0
    return thresholds
