"""Draining: a worker process takes nothing more and finishes what it has, until it is told to resume.

An admin's wish waits in Redis under `drain:<process>` for a few seconds. The timer of `workers.leases` finds it, and
the process says from then on that it drains (`workers.presence`). What was in its queues stays there for others.
"""

from __future__ import annotations

import logging
from typing import Any

from celery import bootsteps

from workers import presence
from workers.connections import client, wish_key

logger = logging.getLogger(__name__)

WISH_SECONDS = 10  # a process that has not heard it by then has stopped, or hangs
# Another wish may have come meanwhile, and has to be heard.
_TAKE_AWAY = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"


def ask(process: str, *, to_drain: bool) -> None:
    """Ask the process of this name to drain, or to resume. Raises `redis.RedisError`."""
    client().set(wish_key(process), "drain" if to_drain else "resume", ex=WISH_SECONDS)


def heed(wish: bytes, redis_client: Any) -> None:
    """In the process that was asked: follow a wish, and only then take it away. Raises `redis.RedisError`."""
    presence.own.drain(wish == b"drain")
    logger.info("An admin has asked this worker to %s", wish.decode())
    redis_client.eval(_TAKE_AWAY, 1, wish_key(presence.own.name), wish)


class FetchesUnlessDraining(bootsteps.StartStopStep):
    """A step of Celery's worker: it leaves its queues while the process drains, and comes back to them.

    Asked at every tick of the timer, and again after each loss of the broker, so no change is ever missed.
    """

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        self._worker = worker
        self._left: list[str] = []
        presence.own.on_tick = self._tick

    def register_with_event_loop(self, worker: Any, hub: Any) -> None:
        """Called by Celery when the loop begins, and again after each loss of the broker."""
        self._tick()

    def _tick(self) -> None:
        if presence.own.is_draining != bool(self._left):
            self._worker.hub.call_soon(self._follow)  # only the loop's own thread may touch its consumer

    def _follow(self) -> None:
        consumer = self._worker.consumer
        if presence.own.is_draining:
            self._left = self._left or list(self._worker.app.amqp.queues.consume_from)
            for queue in self._left:
                consumer.cancel_task_queue(queue)
        else:
            while self._left:
                consumer.add_task_queue(self._left.pop())
