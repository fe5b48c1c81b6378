"""The fitted classifier that tells the role of a message: a linear model over `router.features`, and a tuned encoder
that is asked where the linear model is not certain.

Both are kept in one safetensors file, so loading it runs no code, with one metadata entry that says where it comes
from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from router.artefact import METADATA_KEY, ArtefactError, read_metadata
from router.features import DIMENSIONS, VERSION, vectorise, word_indices
from router.policy import Adapted, Encoder
from router.training_data import ROLES

MAX_WORDS = 5
ADAPTER = "adapter."  # how the names of the encoder's tensors begin

Tensors = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Join:
    """How the logits of the two models make one: a weight for each model and a bias for each role.

    From the probability `certain` on, the linear model is believed alone.
    """

    linear: float
    tuned: float
    bias: tuple[float, ...]
    certain: float

    def logits(self, linear: npt.NDArray[Any], tuned: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The logits of one message or, a row each, of many."""
        return self.linear * linear + self.tuned * tuned + np.array(self.bias)


@dataclass(frozen=True)
class Told:
    """The calibrated probability of each role, and which model said so: `linear` alone or both `joined`."""

    probabilities: dict[str, float]
    by: str

    @property
    def role(self) -> str:
        return max(self.probabilities, key=lambda role: self.probabilities[role])


@dataclass(frozen=True, eq=False)
class RoleClassifier:
    """Logistic regression over several roles. `weights` has a row for each feature and a column for each role.

    `tensors` are those of the tuned encoder, `adapted` is what an encoder made of them; without it the linear model
    is alone.
    """

    roles: tuple[str, ...]
    weights: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]
    metadata: Mapping[str, Any]
    sha256: str
    tensors: Tensors
    join: Join | None = None
    adapted: Adapted | None = None

    @classmethod
    def load(cls, content: bytes, encoder: Encoder | None = None) -> Self:
        """The classifier of an artefact, with `encoder` tuned as the artefact says if there is one.

        Raises `ArtefactError` if these bytes are none that this code can run.
        """
        metadata = read_metadata(content)
        try:
            tensors = safetensors.numpy.load(content)
            weights, bias = tensors.pop("weights"), tensors.pop("bias")
            roles = tuple(metadata["roles"])
            fits = weights.shape == (DIMENSIONS, len(roles)) and bias.shape == (len(roles),)
            if metadata.get("features") != VERSION or not fits:
                raise ArtefactError(
                    "The artefact was fitted with other features than this version reads. Fit it again."
                )
            if set(roles) != set(ROLES):
                raise ArtefactError("The artefact tells other roles apart than this version has. Fit it again.")
            tensors = {name.removeprefix(ADAPTER): tensor for name, tensor in tensors.items()}
            join = _join(metadata["join"], len(roles)) if tensors else None
            adapted = encoder.adapted(tensors) if tensors and encoder else None
        except ArtefactError:
            raise
        except (safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
            raise ArtefactError(f"The artefact is damaged: {error}") from error
        sha256 = hashlib.sha256(content).hexdigest()
        return cls(roles, weights.astype(np.float32), bias.astype(np.float32), metadata, sha256, tensors, join, adapted)

    def tell(self, text: str, context: str = "") -> Told:
        """The role of a message. The encoder is asked only if the linear model is in doubt."""
        linear = self.linear_logits(text, context)
        told = Told(self._probabilities(linear), "linear")
        if self.adapted is None or self.join is None or told.probabilities[told.role] >= self.join.certain:
            return told
        return Told(self._probabilities(self.join.logits(linear, self.adapted(text, context))), "joined")

    def linear_logits(self, text: str, context: str = "") -> npt.NDArray[np.float64]:
        """The calibrated logits of the linear model."""
        vector = vectorise(text, context)
        logits: npt.NDArray[np.float64] = (vector.values @ self.weights[vector.indices] + self.bias).astype(np.float64)
        return logits

    def words(self, text: str, role: str) -> list[tuple[str, float]]:
        """The words that spoke most for `role`: what each adds to its linear logit above the mean of all roles."""
        column = self.roles.index(role)
        vector = vectorise(text)
        weights = self.weights[vector.indices]
        added = vector.values * (weights[:, column] - weights.mean(axis=1))
        by_index = dict(zip(vector.indices.tolist(), added.tolist(), strict=True))
        totals = {word: sum(by_index[index] for index in indices) for word, indices in word_indices(text).items()}
        best = sorted(totals.items(), key=lambda item: -item[1])[:MAX_WORDS]
        return [(word, weight) for word, weight in best if weight > 0]

    def _probabilities(self, logits: npt.NDArray[np.float64]) -> dict[str, float]:
        likelihoods = np.exp(logits - logits.max())
        return dict(zip(self.roles, (likelihoods / likelihoods.sum()).tolist(), strict=True))


def save(
    roles: Sequence[str],
    weights: npt.NDArray[Any],
    bias: npt.NDArray[Any],
    metadata: Mapping[str, Any],
    tensors: Tensors | None = None,
    join: Join | None = None,
) -> bytes:
    """The artefact's content; the same input gives the same bytes. Weights are stored in half precision."""
    facts = {**metadata, "roles": list(roles), "join": asdict(join) if join else None}
    # One entry only: safetensors writes several in an order that changes from run to run.
    entry = json.dumps(facts, sort_keys=True, ensure_ascii=False)
    content: dict[str, npt.NDArray[Any]] = {"weights": weights.astype(np.float16), "bias": bias.astype(np.float32)}
    content |= {f"{ADAPTER}{name}": tensor for name, tensor in (tensors or {}).items()}
    return safetensors.numpy.save(content, metadata={METADATA_KEY: entry})


def _join(facts: Mapping[str, Any], roles: int) -> Join:
    join = Join(**{**facts, "bias": tuple(facts["bias"])})
    if len(join.bias) != roles:
        raise ArtefactError("The artefact joins its two models for other roles than it tells apart. Fit it again.")
    return join
