"""A worker whose slots are all taken fetches nothing; this makes it fetch again the moment one is free.

With `worker_disable_prefetch` Celery looks whether a slot is free only when its event loop turns, and a loop that
nobody wakes turns once a second. So a busy light worker would take four messages a second instead of hundreds.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any

from celery import bootsteps, signals

SETTLE_SECONDS = 0.002  # the end of a task is signalled a moment before its slot is counted as free


class WakeWhenFree(bootsteps.StartStopStep):
    """A step of Celery's worker: the end of a task turns the event loop."""

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        self._ear, self._voice = socket.socketpair()
        for end in (self._ear, self._voice):
            end.setblocking(False)
        signals.task_postrun.connect(self._ended)

    def register_with_event_loop(self, worker: Any, hub: Any) -> None:
        """Called by Celery when the loop begins, and again after each loss of the broker."""
        hub.add_reader(self._ear, self._heard, hub)

    def _ended(self, **_: Any) -> None:
        """In the thread of the task."""
        with suppress(BlockingIOError):  # so many are waiting to be heard that one more would change nothing
            self._voice.send(b"!")

    def _heard(self, hub: Any) -> None:
        self._ear.recv(4096)
        hub.call_later(SETTLE_SECONDS, bool)
