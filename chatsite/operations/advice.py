"""What the figures of a queue ask for: how to start a worker of it, and how many it needs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from django.conf import settings

from chatsite.launch import procfile
from chatsite.operations.figures import Queue
from chatsite.operations.staffing import slots_needed, wait_within
from workers import queue_names

SHARE = 0.95  # of the messages; the others may wait for longer
WAIT_SECONDS = 2.0  # what the number of workers is told for unless another wait is asked about


@dataclass(frozen=True)
class Staffing:
    """How many workers a queue needs so that `SHARE` of what comes waits for no longer than was asked."""

    workers: int
    slots_each: int
    wait_seconds: (
        float  # what `SHARE` of the messages wait for at most with the workers that there are; may be infinite
    )


def start_command(queue: str) -> str:
    """The command that starts a worker of `queue`: the Procfile's, or one like it for a worker group's queue."""
    of_procfile = procfile.worker_command(settings.BASE_DIR / "Procfile", queue)
    return of_procfile or (queue_names.start_command(queue) if queue_names.is_for_models(queue) else "")


def staffing(queue: Queue, wait_seconds: float) -> Staffing | None:
    """None where nobody knows yet what comes or how long it takes. Raises `ValueError` as `slots_needed` does."""
    if queue.load is None:
        return None
    each = round(queue.slots / queue.workers) if queue.workers else procfile.slots_of(start_command(queue.name))
    slots = slots_needed(queue.load, wait_seconds, SHARE)
    return Staffing(
        workers=max(1, math.ceil(slots / each)),
        slots_each=each,
        wait_seconds=wait_within(queue.load, queue.slots, SHARE) if queue.slots else math.inf,
    )
