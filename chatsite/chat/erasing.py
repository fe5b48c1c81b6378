"""Deleting turns for good: with them goes what refers to nothing of theirs, so that no cascade would reach it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import redis
from django.db import transaction
from django.db.models import QuerySet

from chatsite.chat.models import Turn
from router.models import Decision
from workers import stream
from workers.commits import after_commit
from workers.models import Completion

logger = logging.getLogger(__name__)

AT_ONCE = 1000  # a database and Redis take long lists in pieces


@contextmanager
def with_answers(turns: QuerySet[Turn]) -> Iterator[None]:
    """In one transaction: whoever deletes these turns in here deletes what was decided and answered in them, too.

    When it commits, the streams of the answers go.
    """
    with transaction.atomic():
        rows = list(turns.values_list("pk", "completion_id", "decision_id"))
        yield
        for some in _pieces([completion for _, completion, _ in rows if completion]):
            Completion.objects.filter(pk__in=some).only("pk").delete()
        for some in _pieces([decision for _, _, decision in rows if decision]):
            Decision.objects.filter(pk__in=some).only("pk").delete()
        after_commit(_forget_streams, [reply for reply, _, _ in rows])


def _forget_streams(replies: Sequence[UUID]) -> None:
    try:
        for some in _pieces(replies):
            stream.forget(*some)
    except redis.RedisError as error:
        logger.warning("Streams of deleted answers stay until they expire: %s", error)


def _pieces(all_of_it: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (all_of_it[start : start + AT_ONCE] for start in range(0, len(all_of_it), AT_ONCE))
