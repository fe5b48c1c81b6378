"""The closed set of events on a reply's stream: what workers write and what browsers are told from.

An event has an offset (`attempt-sequence`, the id of its entry in the Redis Stream): attempts count from 1 (0 is
what happens before a model runs), sequences from 1 without a gap within an attempt.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import orjson


class Kind:
    DECIDED = "decided"  # data: route; written by the site before a model runs
    STARTED = "started"  # data: attempt, model; whatever text was shown before belongs to an earlier attempt
    LOADING = "loading"  # the model is being loaded into memory, which may take minutes; data: model
    LOADED = "loaded"  # it is there, and begins to read the prompt
    DELTA = "delta"  # text added, and the position (in characters) at which it goes
    RESET = "reset"  # the next model of the route starts over; data: model
    DONE = "done"  # data: length of the text
    FAILED = "failed"  # data: code
    CANCELLED = "cancelled"  # data: length of the text that was written

    FINAL = frozenset({DONE, FAILED, CANCELLED})


@dataclass(frozen=True)
class Offset:
    """A place on a stream. Later offsets are greater."""

    attempt: int
    sequence: int

    def __str__(self) -> str:
        return f"{self.attempt}-{self.sequence}"

    def __lt__(self, other: Self) -> bool:
        return (self.attempt, self.sequence) < (other.attempt, other.sequence)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises `ValueError` unless `text` is like `1-57`."""
        attempt, dash, sequence = text.partition("-")
        if not (dash and attempt.isdecimal() and sequence.isdecimal() and len(text) < 40):
            raise ValueError(f"Not an offset: {text[:40]!r}")
        return cls(int(attempt), int(sequence))


@dataclass(frozen=True)
class Event:
    """One entry of a reply's stream."""

    offset: Offset
    kind: str
    text: str = ""
    position: int = 0
    data: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_entry(cls, entry_id: bytes, fields: dict[bytes, bytes]) -> Self:
        """The event of a Redis Stream entry, as the client returns it undecoded."""
        return cls(
            offset=Offset.parse(entry_id.decode()),
            kind=fields[b"kind"].decode(),
            text=fields.get(b"text", b"").decode(),
            position=int(fields.get(b"at", b"0")),
            data=orjson.loads(fields.get(b"data", b"{}")),
        )
