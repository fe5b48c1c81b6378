"""Which revisions run: the live one, and those of a canary and a shadow.

A process asks the database when it wants to know and has not asked for half a second: two queries of a few indexed
rows. So a published revision is in force everywhere within that time, with nothing to be told or missed.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from router.models import Revision, Rollout

CHECK_INTERVAL_SECONDS = settings.POLICY_CHECK_SECONDS

Key = tuple[int, Any]  # the number of a revision, and its time: a database may have been restored or replaced


@dataclass(frozen=True)
class Running:
    """What runs at a moment."""

    live: Key
    rollouts: tuple[Rollout, ...] = ()

    def rollout(self, kind: str) -> Rollout | None:
        """The one of that kind."""
        return next((rollout for rollout in self.rollouts if rollout.kind == kind), None)

    def key_for(self, conversation: Any) -> Key:
        """The revision that decides the messages of a conversation; the live one before it has begun (None)."""
        canary = self.rollout(Rollout.Kind.CANARY)
        return key_of(canary) if conversation and canary and canary.takes(conversation) else self.live

    @property
    def _facts(self) -> tuple[Any, ...]:
        return self.live, *((rollout.pk, rollout.kind, rollout.share) for rollout in self.rollouts)

    def says_the_same_as(self, other: Running | None) -> bool:
        return other is not None and self._facts == other._facts


def key_of(rollout: Rollout) -> Key:
    """The revision that a rollout tries."""
    return rollout.revision_id, rollout.revision.created_at


def running() -> Running | None:
    """What runs now, at most half a second old, and the same object while it does not change.

    None while nothing has been published.
    """
    return _memory.get()


class _Memory:
    """Threads share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: Running | None = None
        self._asked_at = 0.0

    def get(self) -> Running | None:
        with self._lock:
            if self._running is None or time.monotonic() - self._asked_at >= CHECK_INTERVAL_SECONDS:
                asked_at, now = time.monotonic(), _ask()
                self._running = self._running if now and now.says_the_same_as(self._running) else now
                self._asked_at = asked_at
            return self._running


def _ask() -> Running | None:
    live = Revision.objects.filter(is_live=True).values_list("number", "created_at").first()
    rollouts = Rollout.objects.filter(ended_at=None).select_related("revision").defer("revision__snapshot")
    return Running(live, tuple(rollouts)) if live else None


_memory = _Memory()
