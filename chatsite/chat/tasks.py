"""The task of the light worker, and that of titles, which the embedded one runs."""

import threading
from typing import Any

from celery import shared_task
from celery.signals import worker_ready, worker_shutting_down

from chatsite.chat import previewing, titling, trials  # noqa: F401  (registers their tasks)
from chatsite.chat.models import Titling, Turn
from chatsite.documents.models import Attachment
from router import policies
from workers import attempts, presence

_stop = threading.Event()


@shared_task(name="chat.decide_turn")
def decide_turn(reply_id: str, attempt: int) -> None:
    """Decide one attempt of a turn, if it is still waiting."""
    from chatsite.chat import answering  # loads the encoder: only in a worker

    if Attachment.is_waited_for(reply_id):  # a file of the message; whoever reads it publishes this again
        return
    with attempts.claimed(Turn, reply_id, attempt) as held:
        if held:
            answering.answer(*held)


@shared_task(name="chat.title_conversation")
def title_conversation(titling_id: str, attempt: int) -> None:
    """Run one attempt of a titling, if it is still waiting."""
    with attempts.claimed(Titling, titling_id, attempt) as held:
        if held:
            titling.run(held[0])


@worker_ready.connect
def get_ready(sender: Any, **kwargs: Any) -> None:
    """Compile what runs, follow what is published, and say that the queue of turns is served."""
    if Turn.queue in sender.app.amqp.queues.consume_from:
        from chatsite.chat import answering
        from workers.encoder import encode

        answering.warm_up()
        threading.Thread(target=policies.follow, args=[encode, _stop], daemon=True).start()
        presence.own.announce([Turn.queue])


@worker_shutting_down.connect
def stop_following(**kwargs: Any) -> None:
    """What a stopped process runs is nobody's concern any more."""
    _stop.set()
