"""The last attempt of a job whose processes died: in a process of its own, with the worker as a witness.

A worker runs many jobs in one process. When that dies, each of them could be the cause, and most are not: so a death
in company costs an attempt and convicts nobody. Who was there at every death but the last one allowed runs alone, in a
child process of the worker. If the child dies and the worker lives to see it, the job is to blame, and quarantined. If
the worker dies too, somebody killed both, and the job is tried again, alone.

Children are forked by a server process without threads that has loaded everything (Python's `forkserver`): it takes
milliseconds, but for the first one in a worker, which waits a second or two for the server. To start it earlier would
cost every takeover the processor that it needs itself.
"""

from __future__ import annotations

import logging
import multiprocessing
import threading
from multiprocessing import connection
from typing import Any

import redis

from workers import stream
from workers.events import Kind
from workers.jobs import Job

logger = logging.getLogger(__name__)

is_here = False  # whether this process is one that an attempt has to itself

UNKNOWN = 255  # the exit status if the server that forks died, and the child may live

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["workers.isolated"])
_lock = threading.Lock()  # the end of a child must be read by one thread only


def suspect(kind: type[Job], pk: Any, attempt: int) -> Job | None:
    """The row of this attempt if it waits and is to run alone, but not here."""
    if attempt == 1 or is_here:
        return None
    job = kind._default_manager.filter(pk=pk, attempt=attempt, status=Job.Status.QUEUED).first()
    return job if job and job.runs_alone else None


def run_alone(job: Job) -> None:
    """Run this attempt in a process of its own, and quarantine the job if that dies of it."""
    from workers import isolated  # sets Django up, where that has not been done

    arguments = (job._meta.label, str(job.pk), job.attempt)
    child = _context.Process(target=isolated.run, args=arguments, name=f"{job.pk}:{job.attempt}", daemon=False)
    with _lock:
        child.start()
    logger.warning("%s %s: attempt %d runs alone, as process %d", *arguments, child.pid)
    connection.wait([child.sentinel])
    with _lock:
        child.join()
    if child.exitcode not in (0, UNKNOWN):
        job.refresh_from_db(fields=["error_detail"])
        quarantine(job, f"Ended its own process (exit status {child.exitcode}). {job.error_detail}".strip())


def quarantine(job: Job, detail: str) -> None:
    """Close a running job for good, and tell whoever waits for the reply. Nothing happens if the attempt is over."""
    if not job.close(Job.Status.QUARANTINED, error_code="quarantined", error_detail=detail[:2000]):
        return
    logger.error("%s %s is quarantined in attempt %d: %s", type(job).__name__, job.pk, job.attempt, detail)
    try:
        stream.append(job.reply_id, job.attempt, Kind.FAILED, {"code": "quarantined"})
    except redis.RedisError as error:
        logger.warning("The end of %s is in the database only: %s", job.reply_id, error)
