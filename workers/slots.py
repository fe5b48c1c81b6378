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

    def register_with_event_loop(self, worker: Any, hub: Any) -> None:
        """Called by Celery when the loop begins."""
        ear, self._voice = socket.socketpair()
        for end in (ear, self._voice):
            end.setblocking(False)
        hub.add_reader(ear, self._heard, ear, hub)
        signals.task_postrun.connect(self._ended)

    def _ended(self, **_: Any) -> None:
        """In the thread of the task."""
        with suppress(BlockingIOError):  # so many are waiting to be heard that one more would change nothing
            self._voice.send(b"!")

    @staticmethod
    def _heard(ear: socket.socket, hub: Any) -> None:
        ear.recv(4096)
        hub.call_later(SETTLE_SECONDS, bool)
