"""The tasks of inference workers: an id and an attempt come in, everything else is in the database."""

from contextlib import suppress
from typing import Any

import redis
from celery import shared_task
from celery.signals import worker_init, worker_ready, worker_shutdown

from workers import attempts, completing, leases, presence, queue_names, warming
from workers import handover as handover  # registers what is done at the end
from workers import trials as trials  # registers its task
from workers.models import Completion


@shared_task(name="workers.complete")
def complete(completion_id: str, attempt: int) -> None:
    """Run one attempt of a completion, if it is still waiting."""
    with attempts.claimed(Completion, completion_id, attempt) as held:
        if held:
            completing.run(*held)


@worker_init.connect
def appear(sender: Any, **kwargs: Any) -> None:
    """Be seen from the beginning: what is being loaded, and for how long, explains why nothing is served yet."""
    presence.own.appear(sender.concurrency)
    leases.start_keeper()


@worker_ready.connect
def get_ready(sender: Any, **kwargs: Any) -> None:
    """Load what has to be ready, then say that the queues of this process are served."""
    queues = set(filter(queue_names.is_for_models, sender.app.amqp.queues.consume_from))
    warming.warm_up(queues)
    presence.own.announce(queues)


@worker_shutdown.connect
def disappear(**kwargs: Any) -> None:
    """What a stopped process was is nobody's concern any more."""
    with suppress(redis.RedisError):
        presence.own.leave()
