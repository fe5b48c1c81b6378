"""The last attempt of a job whose processes died: in a process of its own, with a witness.

A worker runs many jobs in one process. When that dies, each of them could be the cause, and most are not: so a death
in company costs an attempt and convicts nobody. Who was there at every death but the last one allowed runs alone, in a
child process of the worker. If the child dies and its witness lives to see it, the job is to blame, and quarantined.
The witness is a process of its own, which holds nothing else: the worker may die meanwhile, of another job. If the
witness dies too, somebody killed them all, and the job is tried again, alone.

Children are forked by a copy of the worker from before it had threads (`workers.forking`), which takes milliseconds.
"""

from __future__ import annotations

import logging
import os
import signal
from typing import Any

import redis
from django.apps import apps
from django.db import DatabaseError

from workers import stream, tracing
from workers.events import Kind
from workers.forking import Forker
from workers.jobs import Job, ended
from workers.leases import Lease

logger = logging.getLogger(__name__)

is_here = False  # whether this process is one that an attempt has to itself

_forker: Forker | None = None


def prepare() -> None:
    """In a worker that begins, and has no threads yet: make the copy that forks."""
    global _forker
    _forker = Forker(_run, _judge)


def suspect(kind: type[Job], pk: Any, attempt: int) -> Job | None:
    """The row of this attempt if it waits and is to run alone, but not here."""
    if attempt == 1 or is_here or not _forker:
        return None
    job = kind._default_manager.filter(pk=pk, attempt=attempt, status=Job.Status.QUEUED).first()
    return job if job and job.runs_alone else None


def run_alone(job: Job) -> None:
    """Run this attempt in a process of its own, and return when that has ended."""
    if not _forker:
        raise RuntimeError("Only a worker can run something alone.")
    label, pk, attempt = job._meta.label, str(job.pk), job.attempt
    try:
        with Lease(type(job), pk, attempt):  # it is in no queue and not claimed: says that it is not lost
            child = _forker.start(label, pk, str(attempt))
    except OSError:
        logger.exception("This worker cannot run anything alone any more: it ends, for another one to begin")
        os.kill(os.getpid(), signal.SIGTERM)
        return
    logger.warning("%s %s: attempt %d runs alone", label, pk, attempt)
    child.wait()


def _run(label: str, pk: str, attempt: str) -> None:
    """In that process. It ends with an exception only if the job itself is to blame."""
    global is_here
    is_here = True
    try:
        apps.get_model(label)().task.run(pk, int(attempt))
    except (DatabaseError, redis.RedisError):
        logger.exception("The isolated attempt %s of %s %s could not go on", attempt, label, pk)
    finally:
        tracing.flush()


def _judge(status: int, label: str, pk: str, attempt: str) -> None:
    """In the witness: what ended its own process is to blame."""
    kind = apps.get_model(label)
    kind.claim(pk, int(attempt))  # in case it did not come that far
    if job := kind._default_manager.filter(pk=pk, attempt=int(attempt)).first():
        quarantine(job, f"Ended its own process (exit status {status}). {job.error_detail}".strip())


def quarantine(job: Job, detail: str) -> None:
    """Close a running job for good, and tell whoever waits for the reply. Nothing happens if the attempt is over."""
    if not job.close(Job.Status.QUARANTINED, error_code="quarantined", error_detail=detail[:2000]):
        return
    logger.error("%s %s is quarantined in attempt %d: %s", type(job).__name__, job.pk, job.attempt, detail)
    try:
        stream.append(job.reply_id, job.attempt, Kind.FAILED, {"code": "quarantined"}, job.text_left)
    except redis.RedisError as error:
        logger.warning("The end of %s is in the database only: %s", job.reply_id, error)
    ended.send_robust(sender=type(job), job=job)
