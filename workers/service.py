"""How a queue is served: by how many slots, and how long one job takes. For those who wait, and for those who watch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta

from workers.presence import Process

RECENT = timedelta(minutes=10)  # what has ended or begun since then tells how long a job takes now


def slots_by_queue(processes: Iterable[Process]) -> Counter[str]:
    """How many jobs these processes do at a time, together, for each queue that they serve."""
    slots = Counter[str]()
    for process in processes:
        slots.update({queue: process.slots for queue in process.queues if process.serves(queue)})
    return slots


def mean_seconds(ended: Sequence[float], running: Sequence[float] = ()) -> float | None:
    """How long a job takes in the mean, from how long those took that have ended; None if none has.

    Those that run count with the time they have taken so far, where a steady load is looked at: the likeliest mean of
    an exponential distribution of which some values are only known to be larger than what has been seen (total time by
    number of ends). Without them, the first ends after a rush are believed: too short, and not absurdly long.
    """
    return (sum(ended) + sum(running)) / len(ended) if ended else None
