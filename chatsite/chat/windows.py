"""How much of a long conversation a page shows: its newest messages, and earlier ones as they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

MESSAGES = 60


@dataclass(frozen=True)
class Window:
    """A piece of a branch. `earlier` is where the piece before it begins, None where nothing comes before."""

    ids: Sequence[UUID] = ()
    earlier: UUID | None = None

    @property
    def first(self) -> UUID | None:
        return self.ids[0] if self.ids else None


def newest(branch: Sequence[UUID], first: Any = None) -> Window:
    """The end of a branch; all of it from the message `first` on, if that is one of its messages."""
    start = max(0, len(branch) - MESSAGES)
    return _piece(branch, min(_place(branch, first, default=start), start), len(branch))


def before(branch: Sequence[UUID], message_id: Any) -> Window:
    """What comes before a message; nothing if it is none of the branch."""
    end = _place(branch, message_id, default=0)
    return _piece(branch, max(0, end - MESSAGES), end)


def _piece(branch: Sequence[UUID], start: int, end: int) -> Window:
    return Window(branch[start:end], branch[max(0, start - MESSAGES)] if start else None)


def _place(branch: Sequence[UUID], message_id: Any, default: int) -> int:
    places = {str(pk): place for place, pk in enumerate(branch)}
    return places.get(str(message_id), default)
