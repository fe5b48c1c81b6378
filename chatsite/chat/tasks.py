"""The task of the light worker."""

from typing import Any

from celery import shared_task
from celery.signals import worker_ready

from chatsite.chat import trials  # noqa: F401  (registers its task)
from chatsite.chat.models import Turn
from workers import leases, running


@shared_task(name="chat.decide_turn")
def decide_turn(reply_id: str, attempt: int) -> None:
    """Decide one attempt of a turn, if it is still waiting."""
    from chatsite.chat import answering  # loads the encoder: only in a worker

    with running.claimed(Turn, reply_id, attempt) as held:
        if held:
            answering.answer(*held)


@worker_ready.connect
def get_ready(sender: Any, **kwargs: Any) -> None:
    """Compile the live policy, then say that the queue of turns is served."""
    if Turn.queue in sender.app.amqp.queues.consume_from:
        from chatsite.chat import answering

        answering.warm_up()
        leases.announce([Turn.queue])
