"""Whether another answer can be asked for now, or how soon to try again.

What is open is counted in the database, in the transaction that saves the message: so the limits hold however many
messages come at the same moment, and there is no counter that could be lost. A refusal because the site is full holds
for a moment for all that come after it, without a look at the database: those who are let in must not wait for those
who are not. Nor the other way round: who waits behind them is refused as soon as one who waited as well has been.
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass
from typing import Any

import redis
from django.conf import settings
from django.db import connection

from chatsite.chat.models import Turn
from chatsite.chat.refusals import BusyError
from workers import line
from workers.jobs import Job
from workers.limits import Limits, limits_of
from workers.line import Expected
from workers.locks import lock_until_commit
from workers.models import Completion

SOON_SECONDS = 5.0  # while nobody knows how long an answer takes
SHORT_WAIT_SECONDS = 5.0  # that nobody minds, however fast the answer comes then
SHORTEST_SECONDS, LONGEST_SECONDS = 2, 300  # that anybody is asked to wait before they try again
FULL_SECONDS = 0.25  # for which the site is believed to be as full as it was
FORGOTTEN_SECONDS = 2.0  # without a refusal, after which a full site is nothing to go by


def expected() -> Expected:
    """What a new message would meet now. Ask before the transaction, whose locks must not wait for Redis."""
    try:
        return line.expected()
    except redis.RedisError:
        return Expected()


def admit(person_id: Any, expected: Expected) -> int:
    """In the transaction that has saved a turn of this person: how many answers of theirs are open besides.

    Raises `BusyError` if those are too many, or those of everybody.
    """
    limits = limits_of(person_id)
    lock_until_commit("admission")
    found = _open_besides(person_id)
    if found.theirs >= limits.open:  # until one of those that are at work has ended
        soon = (expected.service_seconds or SOON_SECONDS) / limits.running
        raise BusyError("too_many_answers", status=429, retry_after=_whole(soon), count=found.theirs)
    if seconds := _seconds_too_many(limits, expected, found):
        raise _full(limits, seconds)
    _let_in(limits)
    return found.theirs


def _seconds_too_many(limits: Limits, expected: Expected, found: _Open) -> float:
    """After how many seconds there may be room for another message behind what is open; 0: there is now."""
    wait, longest = expected.wait_behind(found.released), _longest_wait(limits, expected)
    if found.waiting >= limits.waiting_in_all:  # until a quarter of the line is gone
        return wait / 4 or SOON_SECONDS
    return max(wait - longest, 0.0)


def _longest_wait(limits: Limits, expected: Expected) -> float:
    """For those without a group that has a longest wait of its own: not much longer than an answer takes alone."""
    if limits.wait_seconds != settings.LONGEST_WAIT_SECONDS or expected.service_seconds is None:
        return limits.wait_seconds
    bearable = max(settings.LONGEST_WAIT_ANSWERS * expected.service_seconds, SHORT_WAIT_SECONDS)
    return min(limits.wait_seconds, bearable)


def _whole(seconds: float) -> int:
    return min(max(math.ceil(seconds), SHORTEST_SECONDS), LONGEST_SECONDS)


# --- A full site ------------------------------------------------------------------------------------------------


@dataclass
class _Full:
    """The site is full for those with certain limits, as far as is known; times are those of the monotonic clock."""

    refused_at: float
    retry_after: int
    look_at: float  # when the next one may look whether it still is


_full_sites: dict[Limits, _Full] = {}
_lock = threading.Lock()


def _full(limits: Limits, seconds: float) -> BusyError:
    now, retry_after = time.monotonic(), _whole(seconds)
    with _lock:
        _full_sites[limits] = _Full(now, retry_after, now + FULL_SECONDS)
    return _busy(retry_after)


def _let_in(limits: Limits) -> None:
    """There was room for one: the next one may look, and one at a time until nobody has been refused for a while."""
    with _lock:
        if full := _full_sites.get(limits):
            full.look_at = time.monotonic()


def _busy(retry_after: int) -> BusyError:
    return BusyError("busy", status=503, retry_after=retry_after)


def was_full() -> bool:
    """Whether there can be a `known_refusal` for anybody; asks nobody."""
    return bool(_full_sites)


def known_refusal(user: Any, since: float = 0.0) -> BusyError | None:
    """What a message of this person would be told, if somebody with the same limits has just been told that.

    Only if that was after `since`, a time of the monotonic clock. None now and then: whoever gets it is the one that
    looks again, for all.
    """
    if not was_full():
        return None
    limits, now = limits_of(user.pk), time.monotonic()
    with _lock:
        full = _full_sites.get(limits)
        if full is None or full.refused_at < since:
            return None
        if now - full.refused_at > FORGOTTEN_SECONDS:
            del _full_sites[limits]
            return None
        if now < full.look_at:
            return _busy(full.retry_after)
        full.look_at = now + FULL_SECONDS
        return None


# --- What is open -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Open:
    """How many answers are not there yet."""

    theirs: int  # of the person
    waiting: int  # of everybody, and not begun
    released: int  # of those, whose person's turn it is


# The open rows are few, and the condition is that of their indexes. Written out, since every message asks this while
# others wait for the lock, and to put it together from querysets takes fifty times as long as to run it.
_COUNT_OPEN = " UNION ALL ".join(
    f"SELECT person_id, status, released_at FROM {kind._meta.db_table} WHERE finished_at IS NULL"  # noqa: S608
    for kind in (Turn, Completion)
)
_COUNT_OPEN = f"""
SELECT COUNT(*) FILTER (WHERE person_id = %s), COUNT(*) FILTER (WHERE status = '{Job.Status.QUEUED.value}'),
  COUNT(*) FILTER (WHERE status = '{Job.Status.QUEUED.value}' AND released_at IS NOT NULL)
FROM ({_COUNT_OPEN}) AS job
"""  # noqa: S608


def _open_besides(person_id: Any) -> _Open:
    """What is open besides the one turn that the transaction has saved for the person."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT_OPEN, [person_id])
        return _Open(*(count - 1 for count in cursor.fetchone()))
