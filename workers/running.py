"""Running one attempt of a job: lease, claim, and whatever happens at the end."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from workers.jobs import Job
from workers.leases import Lease, lease_key

logger = logging.getLogger(__name__)
AnyJob = TypeVar("AnyJob", bound=Job)


@contextmanager
def claimed(kind: type[AnyJob], pk: str, attempt: int) -> Iterator[tuple[AnyJob, Lease] | None]:
    """The job and its lease while this process owns the attempt; None if somebody else does or did.

    The lease is taken before the claim, so that the reaper never sees a running job without one. An exception
    leaves the row running: the lease runs out and the reaper gives the job a new attempt.
    """
    with Lease(lease_key(kind, pk), attempt) as lease:
        job = kind.claim(pk, attempt)
        if job is None:
            logger.info("%s %s attempt %d is not waiting any more; dropped", kind.__name__, pk, attempt)
            yield None
            return
        lease.reply_id = job.reply_id
        try:
            yield job, lease
        except Exception as error:
            job.note_error(f"{type(error).__name__}: {error}")
            raise
