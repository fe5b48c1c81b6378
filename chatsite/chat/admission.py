"""Whether another answer can be asked for now, or how soon to try again.

What is open is counted in the database, in the transaction that saves the message: so the limits hold however many
messages come at the same moment, and there is no counter that could be lost.
"""

from __future__ import annotations

import math
from typing import Any

import redis
from django.db.models import Count, Q, Value

from chatsite.chat.models import Turn
from chatsite.chat.refusals import BusyError
from workers import line
from workers.jobs import Job
from workers.limits import limits_of
from workers.line import Expected
from workers.locks import lock_until_commit
from workers.models import Completion

SOON_SECONDS = 5.0  # while nobody knows how long an answer takes
SHORTEST_SECONDS, LONGEST_SECONDS = 2, 300  # that anybody is asked to wait before they try again


def expected() -> Expected:
    """What a new message would meet now. Ask before the transaction, whose locks must not wait for Redis."""
    try:
        return line.expected()
    except redis.RedisError:
        return Expected()


def admit(user: Any, expected: Expected) -> None:
    """In the transaction that will queue a turn of this person: go on, or raise `BusyError`."""
    lock_until_commit("admission")
    limits = limits_of(user.pk)
    theirs, waiting = _open(user)
    wait = expected.wait_seconds or 0.0
    if theirs >= limits.open:  # until one of those that are at work has ended
        soon = (expected.service_seconds or SOON_SECONDS) / limits.running
        raise BusyError("too_many_answers", status=429, retry_after=_whole(soon), count=theirs)
    if waiting >= limits.waiting_in_all:  # until a quarter of the line is gone
        raise BusyError("busy", status=503, retry_after=_whole(wait / 4 or SOON_SECONDS))
    if wait > limits.wait_seconds:
        raise BusyError("busy", status=503, retry_after=_whole(wait - limits.wait_seconds))


def _whole(seconds: float) -> int:
    return min(max(math.ceil(seconds), SHORTEST_SECONDS), LONGEST_SECONDS)


def _open(user: Any) -> tuple[int, int]:
    """How many answers of the person are not there yet, and how many of everybody wait."""
    deciding, writing = (
        kind.all_open()
        .order_by()
        .values(kind=Value(kind._meta.label))
        .annotate(theirs=Count("pk", filter=Q(person=user.pk)), waiting=Count("pk", filter=Q(status=Job.Status.QUEUED)))
        for kind in (Turn, Completion)
    )
    found = list(deciding.union(writing, all=True))
    return sum(each["theirs"] for each in found), sum(each["waiting"] for each in found)
