"""The tasks of the background worker: what takes long and can wait, so that chat never waits for it."""

from typing import Any

from celery.signals import worker_ready

from chatsite.routing import promoting, publishing, refitting, replaying, training  # noqa: F401  (registers tasks)
from chatsite.routing.queue import BACKGROUND
from workers import presence


@worker_ready.connect
def get_ready(sender: Any, **kwargs: Any) -> None:
    """Say that the queue is served. Models are loaded when the first task comes."""
    if BACKGROUND in sender.app.amqp.queues.consume_from:
        presence.own.announce([BACKGROUND])
