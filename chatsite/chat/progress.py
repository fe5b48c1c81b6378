"""How far an answer is that is not there yet: what it waits for, and where it stands in the line."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from uuid import UUID

import redis

from chatsite.chat.models import Turn
from chatsite.chat.notices import in_line
from chatsite.documents.models import Attachment
from workers import line
from workers.jobs import Job
from workers.presence import Process, processes
from workers.recently import recently


def states(turns: Iterable[Turn]) -> dict[UUID, str]:
    """What becomes of each reply at the moment; empty for those that are finished.

    routing, waiting, writing, retrying; `unrouted` and `unserved` instead of the first two while no worker is there,
    and `unread` while none is there for the files of the message.
    """
    workers = cache(_workers)
    return {turn.pk: _state(turn, workers) for turn in turns}


def places(reply_ids: Iterable[UUID]) -> dict[UUID, str]:
    """Where those stand that wait, and how long it may take, in words; empty where nobody knows."""
    asked = list(reply_ids)
    try:
        found = line.places(asked)
    except redis.RedisError:
        found = {}
    return {reply_id: in_line(found[reply_id]) if reply_id in found else "" for reply_id in asked}


def _state(turn: Turn, workers: Callable[[], list[Process] | None]) -> str:
    answer = turn.answer
    if not answer.is_open:
        return ""
    if answer.status == Job.Status.QUEUED and _is_unserved(answer.queue, workers()):
        return "unserved" if turn.completion else "unrouted"
    if _is_unread(turn, workers):
        return "unread"
    if answer.attempt > 1:
        return "retrying"
    if turn.completion is None:
        return "routing"
    return "waiting" if answer.status == Job.Status.QUEUED else "writing"


def _is_unread(turn: Turn, workers: Callable[[], list[Process] | None]) -> bool:
    """Whether a turn waits for files that nobody reads."""
    is_queued = turn.status == Job.Status.QUEUED
    return is_queued and _is_unserved(Attachment.queue, workers()) and Attachment.is_waited_for(turn.pk)


@recently
def _workers() -> list[Process] | None:
    try:
        return processes()
    except redis.RedisError:  # nobody can tell
        return None


def _is_unserved(queue: str, workers: list[Process] | None) -> bool:
    return workers is not None and not any(worker.serves(queue) for worker in workers)
