"""A small classifier, a small policy, and an encoder that needs no model."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from router import training
from router.compiling import compile_policy
from router.policy import Policy
from router.training_data import Sample

MakePolicy = Callable[..., Policy]

TEXTS = {
    "summarise": ["summarise this article", "give me the gist", "tl;dr", "shorten this text", "sum it up in a line"],
    "classify": ["is this spam or ham", "positive or negative?", "which category fits", "urgent or not", "label it"],
    "generate": ["hello there", "write a poem about rain", "what is a comet", "translate it to French", "fix my code"],
}


class FakeEncoder:
    """Unit vectors of hashed words: texts that share words are near each other. Tuned, it knows each target's mean."""

    def __init__(self) -> None:
        self.embedded: list[str] = []
        self.asked: list[str] = []  # of a tuned copy

    def __call__(self, texts: Sequence[str]) -> Any:
        self.embedded += texts
        return self._vectors(texts)

    def _vectors(self, texts: Sequence[str]) -> Any:
        vectors = np.zeros((len(texts), 64), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().split() or [""]:
                vectors[row, hashlib.sha256(word.encode("utf-8", "replace")).digest()[0] % 64] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def adapted(self, tensors: Mapping[str, Any]) -> Any:
        def logits(text: str, context: str) -> Any:
            self.asked.append(text)
            return 4 * tensors["means"] @ self._vectors([text])[0]

        return logits

    def versions(self) -> dict[str, str]:
        return {"fake": "1"}

    def tuned(
        self, messages: Sequence[tuple[str, str]], targets: Sequence[int], weights: Any, seed: int, report: Any
    ) -> dict[str, Any]:
        vectors = self._vectors([text for text, _ in messages])
        means = [vectors[np.array(targets) == target].mean(axis=0) for target in range(1 + max(targets))]
        return {"means": np.array(means, dtype=np.float32)}


embed = FakeEncoder()


def route(name: str, role: str = "", **changes: Any) -> dict[str, Any]:
    """A route as a snapshot holds it."""
    facts = {
        "name": name,
        "title": name.capitalize(),
        "description": f"Messages for {name}.",
        "role": role or name,
        "threshold": 0.0,
        "is_default": name == "generate",
        "prompt_template": "",
        "options": {},
        "labels": [],
        "models": [],
        "rules": [],
        "examples": [],
    }
    return {**facts, **changes}


def rule(value: str, kind: str = "pattern", position: int = 0) -> dict[str, Any]:
    return {"kind": kind, "value": value, "position": position}


def small_samples() -> list[Sample]:
    """Each message several times, in groups of their own, so that every fold has seen it and is certain."""
    return [
        Sample(text, role, f"{text} {copy}", "message")
        for role, texts in TEXTS.items()
        for text in texts
        for copy in range(8)
    ]


@pytest.fixture(scope="session")
def artefact() -> bytes:
    """A classifier that knows a few messages by heart."""
    return training.fit(small_samples(), seed=1)


@pytest.fixture(scope="session")
def joined_artefact() -> bytes:
    """The same with a tuned encoder, which is asked in every doubt."""
    return training.fit(small_samples(), seed=1, encoder=embed)


@pytest.fixture
def policy(artefact: bytes) -> MakePolicy:
    """Compile a policy of the given routes, or of one for each role."""

    def make(*routes: dict[str, Any]) -> Policy:
        default = (route("summarise"), route("classify"), route("generate"))
        return compile_policy({"routes": routes or default}, artefact, embed, revision=1)

    return make
