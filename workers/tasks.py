"""The tasks of inference workers: an id and an attempt come in, everything else is in the database."""

from typing import Any

from celery import shared_task
from celery.signals import worker_ready

from workers import completing, encoder, leases, running, trials  # noqa: F401  (trials registers its task)
from workers.models import Completion, Model


@shared_task(name="workers.complete")
def complete(completion_id: str, attempt: int) -> None:
    """Run one attempt of a completion, if it is still waiting."""
    with running.claimed(Completion, completion_id, attempt) as held:
        if held:
            completing.run(*held)


@worker_ready.connect
def get_ready(sender: Any, **kwargs: Any) -> None:
    """Load what every local answer needs, then say that the queues of this process are served."""
    queues = set(sender.app.amqp.queues.consume_from) & set(Model.Queue.values)
    if Model.Queue.LOCAL in queues:
        encoder.encode(["Loads the weights."])
    leases.announce(queues)
