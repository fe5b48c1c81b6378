"""Deleting turns for good: with them goes what refers to nothing of theirs, so that no cascade would reach it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from uuid import UUID

import redis
from django.db import transaction
from django.db.models import QuerySet

from chatsite.chat.models import Turn
from router.models import Decision
from workers import stream
from workers.models import Completion

logger = logging.getLogger(__name__)


@contextmanager
def with_answers(turns: QuerySet[Turn]) -> Iterator[None]:
    """In one transaction: whoever deletes these turns in here deletes what was decided and answered in them, too.

    When it commits, the streams of the answers go.
    """
    with transaction.atomic():
        rows = list(turns.values_list("pk", "completion_id", "decision_id"))
        yield
        Completion.objects.filter(pk__in=[completion for _, completion, _ in rows if completion]).delete()
        Decision.objects.filter(pk__in=[decision for _, _, decision in rows if decision]).delete()
        transaction.on_commit(partial(_forget_streams, [reply for reply, _, _ in rows]), robust=True)


def _forget_streams(replies: Iterable[UUID]) -> None:
    try:
        for reply_id in replies:
            stream.forget(reply_id)
    except redis.RedisError as error:
        logger.warning("Streams of deleted answers stay until they expire: %s", error)
