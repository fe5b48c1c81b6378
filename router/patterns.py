"""The patterns of `data/patterns.toml`: many wordings of one request, drawn at random."""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SLOT = re.compile(r"\{(\w+)\}")
# Lists of patterns, as often as they are drawn from. `foreign` holds many languages.
BESIDE_A_PASSAGE = ("before", "before", "after", "after", "any", "foreign")
ALONE = ("messages", "messages", "before", "after", "any", "foreign")


@dataclass(frozen=True)
class Drawn:
    """What was drawn, the pattern that it came from, and the list that holds the pattern."""

    text: str
    pattern: str
    place: str


class Patterns:
    """Draws instructions of a role. The same generator state draws the same ones."""

    def __init__(self, path: Path, rng: random.Random) -> None:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        self._slots: Mapping[str, Sequence[str]] = content["slots"]
        self._patterns: Mapping[str, Mapping[str, Sequence[str]]] = content
        self._rng = rng

    def beside_a_passage(self, role: str) -> Drawn:
        """An instruction to join with a passage."""
        return self._draw(role, self._rng.choice(BESIDE_A_PASSAGE))

    def alone(self, role: str) -> Drawn:
        """A message of its own: an instruction whose text is elsewhere, or one that needs none."""
        return self._draw(role, self._rng.choice(ALONE))

    def _draw(self, role: str, place: str) -> Drawn:
        pattern = self._rng.choice(self._patterns[role][place])
        return Drawn(self._fill(pattern).strip(), pattern, place)

    def _fill(self, pattern: str) -> str:
        return _SLOT.sub(self._phrase, pattern)

    def _phrase(self, slot: re.Match[str]) -> Any:
        return self._fill(self._rng.choice(self._slots[slot[1]]))
