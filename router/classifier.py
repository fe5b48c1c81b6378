"""The fitted classifier that tells the role of a message: a linear model over `router.features`.

It is kept as a safetensors file, so loading it runs no code, with one metadata entry that says where it comes from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from router.artefact import METADATA_KEY, ArtefactError, read_metadata
from router.features import DIMENSIONS, VERSION, vectorise, word_indices

MAX_WORDS = 5


@dataclass(frozen=True, eq=False)
class RoleClassifier:
    """Logistic regression over several roles. `weights` has a row for each feature and a column for each role."""

    roles: tuple[str, ...]
    weights: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]
    metadata: Mapping[str, Any]

    @classmethod
    def load(cls, content: bytes) -> Self:
        """The classifier of an artefact. Raises `ArtefactError` if these bytes are none that this code can run."""
        metadata = read_metadata(content)
        try:
            tensors = safetensors.numpy.load(content)
            weights, bias = tensors["weights"], tensors["bias"]
        except (safetensors.SafetensorError, KeyError) as error:
            raise ArtefactError(f"The artefact is damaged: {error}") from error
        roles = tuple(metadata["roles"])
        fits = weights.shape == (DIMENSIONS, len(roles)) and bias.shape == (len(roles),)
        if metadata.get("features") != VERSION or not fits:
            raise ArtefactError("The artefact was fitted with other features than this version reads. Fit it again.")
        return cls(roles, weights.astype(np.float32), bias.astype(np.float32), metadata)

    def probabilities(self, text: str, context: str = "") -> dict[str, float]:
        """The calibrated probability of each role."""
        vector = vectorise(text, context)
        logits = (vector.values @ self.weights[vector.indices] + self.bias).astype(np.float64)
        likelihoods = np.exp(logits - logits.max())
        return dict(zip(self.roles, (likelihoods / likelihoods.sum()).tolist(), strict=True))

    def words(self, text: str, role: str) -> list[tuple[str, float]]:
        """The words that spoke most for `role`: what each adds to its logit above the mean of all roles."""
        column = self.roles.index(role)
        vector = vectorise(text)
        weights = self.weights[vector.indices]
        added = vector.values * (weights[:, column] - weights.mean(axis=1))
        by_index = dict(zip(vector.indices.tolist(), added.tolist(), strict=True))
        totals = {word: sum(by_index[index] for index in indices) for word, indices in word_indices(text).items()}
        best = sorted(totals.items(), key=lambda item: -item[1])[:MAX_WORDS]
        return [(word, weight) for word, weight in best if weight > 0]


def save(roles: Sequence[str], weights: npt.NDArray[Any], bias: npt.NDArray[Any], metadata: Mapping[str, Any]) -> bytes:
    """The artefact's content; the same input gives the same bytes. Weights are stored in half precision."""
    # One entry only: safetensors writes several in an order that changes from run to run.
    entry = json.dumps({**metadata, "roles": list(roles)}, sort_keys=True, ensure_ascii=False)
    tensors: dict[str, npt.NDArray[Any]] = {"weights": weights.astype(np.float16), "bias": bias.astype(np.float32)}
    return safetensors.numpy.save(tensors, metadata={METADATA_KEY: entry})
