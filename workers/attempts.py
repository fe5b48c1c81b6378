"""One attempt of a job: lease, claim, and whatever happens at the end."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import redis
from django.db import DatabaseError, IntegrityError, close_old_connections
from django.db.models import Model

from workers import isolation, presence, tracing
from workers.jobs import AnyJob, Job
from workers.leases import Lease
from workers.logs import about

logger = logging.getLogger(__name__)
PERSISTENT_SECONDS = 60.0
PAUSE_SECONDS = 0.5


@contextmanager
def claimed(kind: type[AnyJob], pk: str, attempt: int) -> Iterator[tuple[AnyJob, Lease] | None]:
    """The job and its lease while this process owns the attempt; None if somebody else does or did.

    The lease is taken before the claim, so that the reaper never sees a running job without one. An exception
    leaves the row running: the lease runs out and the reaper gives the job a new attempt, as if its process had died of
    it; unless the code here may only be too old for it. What may run alone only does so in a process of its own, before
    this returns None.
    """
    if job := isolation.suspect(kind, pk, attempt):
        isolation.run_alone(job)
        yield None
        return
    with Lease(kind, pk, attempt) as lease:
        job = kind.claim(pk, attempt)
        if job is None:
            with about(reply_id=_reply_id(kind, pk)):
                logger.info("%s %s attempt %d is not waiting any more; dropped", kind.__name__, pk, attempt)
            yield None
            return
        lease.reply_id = job.reply_id
        tracing.waited("queue wait", job.reply_id, job.queued_at, queue=job.queue, attempt=attempt)
        with about(reply_id=job.reply_id), tracing.span(str(kind._meta.model_name), job.reply_id, attempt=attempt):
            try:
                yield job, lease
            except Exception as error:
                logger.exception("%s %s attempt %d broke off", kind.__name__, pk, attempt)
                if not _leave_to_newer_code(job):
                    job.note_error(f"{type(error).__name__}: {error}")
                raise


def _leave_to_newer_code(job: Job) -> bool:
    """Give the job back as it was if newer workers are there: it could be a row that the code here does not understand.

    It is in no queue then, so the reaper hands it out again in a second or two, and not to this worker at once.
    """
    try:
        given_back = presence.is_served_by_newer_code(job.queue) and job.retry()
    except (DatabaseError, redis.RedisError):
        return False
    if given_back:
        logger.warning("%s %s is left to workers with newer code", type(job).__name__, job.pk)
    return given_back


def _reply_id(kind: type[Job], pk: str) -> UUID | str:
    """Which reply a job that was not claimed is about; nothing if it is deleted."""
    job = kind._default_manager.filter(pk=pk).first()
    return job.reply_id if job else ""


def close_persistently(job: Job, status: str, **fields: Any) -> bool:
    """`Job.close`, tried for a minute: an answer is worth waiting for a database that is away for a moment.

    What it refers to may have been deleted meanwhile, as a model by an admin: it is stored without that.
    Raises `DatabaseError` after that; the reaper gives the job a new attempt.
    """
    deadline = time.monotonic() + PERSISTENT_SECONDS
    while True:
        try:
            return job.close(status, **fields)
        except DatabaseError as error:
            if time.monotonic() > deadline:
                raise
            logger.warning("The end of %s could not be stored, trying again: %s", job.pk, error)
            if isinstance(error, IntegrityError):
                fields = {name: value for name, value in fields.items() if not isinstance(value, Model)}
            close_old_connections()
            time.sleep(PAUSE_SECONDS)
