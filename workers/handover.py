"""The end of a worker process: it finishes what it can within the grace time, and hands over the rest at once.

Celery's warm shutdown fetches nothing more and waits for what runs, however long that takes. So a thread of our own
watches the time. What is handed over becomes the next attempt, and nobody has died of the last one; a worker elsewhere
goes on within a second, and this one, if it still writes, is stale.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import Any

import redis
from celery.signals import worker_shutting_down
from django.conf import settings
from django.db import DatabaseError
from kombu.exceptions import OperationalError

from workers import leases, presence, tracing, trials
from workers.leases import Lease
from workers.logs import about

logger = logging.getLogger(__name__)

HANDOVER_SECONDS = 2.5  # for all jobs together; what is not handed over by then is left to the reaper
WIND_UP_SECONDS = 1.5  # for those who have been told to stop


@worker_shutting_down.connect
def begin_to_end(**kwargs: Any) -> None:
    """In a signal handler, which must not wait for any lock."""
    threading.Thread(target=_end_in_time, name="handover", daemon=True).start()


def _end_in_time() -> None:
    """Ends the process after the grace time, if it has not ended by itself before."""
    presence.own.drain(True)
    time.sleep(settings.SHUTDOWN_GRACE_SECONDS)
    handover = threading.Thread(target=_hand_over_all, daemon=True)
    handover.start()
    handover.join(HANDOVER_SECONDS)
    threading.Thread(target=tracing.flush, daemon=True).start()
    time.sleep(WIND_UP_SECONDS)
    logger.warning("What was left did not stop in time: the process ends with it")
    os._exit(0)  # a thread that computes cannot be ended in any other way


def _hand_over_all() -> None:
    for lease in leases.claimed():
        with about(reply_id=lease.reply_id):
            hand_over(lease)
    trials.interrupt_all()


def hand_over(lease: Lease) -> None:
    """Queue the next attempt of a job that this process runs, and stop it here.

    Where the database is away, the lease runs out and the reaper does the same.
    """
    try:
        # Not the object that the job's own thread uses: that one must go on naming its old attempt.
        job = lease.kind._default_manager.filter(pk=lease.pk, attempt=lease.attempt).first()
        if job is None or not job.retry():
            return
        logger.info("%s %s is handed over: attempt %d begins", lease.kind.__name__, job.pk, job.attempt)
        try:
            job.publish()
        except (OperationalError, redis.RedisError) as error:
            logger.warning("%s could not be published; the reaper will: %s", job.pk, error)
    except DatabaseError as error:
        logger.warning("%s could not be handed over: %s", lease.pk, error)
    finally:
        lease.cancellation.set("handed over")
