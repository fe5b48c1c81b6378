"""The broker: handing a job to it, and what it still holds. The one place that knows Redis and RabbitMQ apart.

The reaper has to tell a row whose message got lost from one that merely waits:

* Redis keeps queues as lists, which can be read.
* RabbitMQ tells no more than how many messages a queue has. It confirms each one, keeps it on disk, and takes it back
  from a worker that dies. So what it confirmed is noted, and believed unless a queue has fewer messages than rows that
  wait in it.

A job that is published twice does no harm: an attempt is claimed once.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Protocol

import orjson
import redis
from celery import Task, current_app
from django.conf import settings
from kombu import Connection

from workers.connections import client

TaskKey = tuple[str, int]  # the id of a row, and its attempt

_JOB = re.compile(r"[\[(]'([^']+)', (\d+)[\])]")
LOOK_FOR_SECONDS = 0.5  # between two tries to reach a broker that is away
NOTE_SECONDS = 900  # who waits for longer is published again, now and then


def publish(task: Task, key: TaskKey, queue: str) -> None:
    """Hand an attempt to its queue, a repeated one before those that have not been tried yet.

    Raises `kombu.exceptions.OperationalError` if the broker is away, and `redis.RedisError` if what it confirmed cannot
    be noted.
    """
    _, attempt = key
    priority = settings.CELERY_TASK_DEFAULT_PRIORITY if attempt == 1 else settings.RETRY_PRIORITY
    task.apply_async(args=list(key), queue=queue, priority=priority)
    _queues().confirmed(key)


def lost(waiting: dict[str, set[TaskKey]]) -> set[TaskKey]:
    """Of the jobs that have been waiting in these queues since the last look, those that the broker does not hold.

    To be asked by one process, at every look, even if nothing waits. Raises `redis.RedisError` or
    `kombu.exceptions.OperationalError`.
    """
    return _queues().lost(waiting)


def depth(queue: str) -> int:
    """How many messages wait in a queue; 0 if there is no such queue yet. Raises as `lost` does."""
    with current_app.pool.acquire(block=True) as connection:

        def count() -> int:
            with connection.channel() as channel:  # a channel of its own, because being told “not found” closes it
                try:
                    return int(channel.queue_declare(queue, passive=True).message_count)
                except connection.channel_errors:
                    return 0

        connection.ensure_connection(max_retries=1)  # one that broke earlier stays closed otherwise
        return int(connection.ensure(connection, count, max_retries=1)())


class SteadyConnection(Connection):
    """A connection that looks for a broker that is away twice a second; kombu's own waits 2, 4, … 30 seconds.

    A Redis that is full is one that is away: otherwise it would end the workers that fetch from it.
    """

    @property
    def connection_errors(self) -> tuple[type[Exception], ...]:
        return (*super().connection_errors, redis.exceptions.OutOfMemoryError)

    def ensure_connection(self, *args: Any, **options: Any) -> Connection:
        steady = {"interval_start": LOOK_FOR_SECONDS, "interval_step": 0, "interval_max": LOOK_FOR_SECONDS}
        return super().ensure_connection(*args, **{**steady, **options})


class _Queues(Protocol):
    """What is particular to a broker."""

    def confirmed(self, key: TaskKey) -> None: ...

    def lost(self, waiting: dict[str, set[TaskKey]]) -> set[TaskKey]: ...


class RedisQueues:
    """Celery's lists in Redis: one for each priority step of a queue; the first has the queue's own name."""

    def __init__(self) -> None:
        url = settings.BROKER_URL
        self._client: Any = redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=2)

    def confirmed(self, key: TaskKey) -> None:
        """The lists say it all."""

    def lost(self, waiting: dict[str, set[TaskKey]]) -> set[TaskKey]:
        return set().union(*waiting.values()) - self.jobs(set(waiting)) if waiting else set()

    def jobs(self, queues: set[str]) -> set[TaskKey]:
        """The jobs in these queues."""
        with self._client.pipeline(transaction=False) as pipeline:
            for queue in queues:
                for step in settings.CELERY_BROKER_TRANSPORT_OPTIONS["priority_steps"]:
                    pipeline.lrange(self._list(queue, step), 0, -1)
            messages = [message for found in pipeline.execute() for message in found]
        return {key for message in messages if (key := _key(message))}

    def _list(self, queue: str, step: int) -> str:
        return f"{queue}{settings.CELERY_BROKER_TRANSPORT_OPTIONS['sep']}{step}" if step else queue


class RabbitQueues:
    """Notes of what RabbitMQ confirmed, and the number of its messages against them."""

    def __init__(self) -> None:
        self._last_depths: dict[str, int] = {}

    def confirmed(self, key: TaskKey) -> None:
        client().set(_note(key), 1, ex=NOTE_SECONDS)

    def lost(self, waiting: dict[str, set[TaskKey]]) -> set[TaskKey]:
        # Whatever waits now was waiting at the last look too, so the queue must have had at least as many messages
        # then: one that was on its way to a worker has been claimed since.
        last, self._last_depths = self._last_depths, {queue: depth(queue) for queue in waiting}
        found: set[TaskKey] = set()
        for queue, keys in waiting.items():
            noted = self._noted(keys)
            has_lost_some = last.get(queue, len(noted)) < len(noted)
            found |= keys if has_lost_some else keys - noted
        return found

    def _noted(self, keys: set[TaskKey]) -> set[TaskKey]:
        ordered = list(keys)
        notes = client().mget([_note(key) for key in ordered]) if ordered else []
        return {key for key, note in zip(ordered, notes, strict=True) if note}


@cache
def _queues() -> _Queues:
    return RabbitQueues() if settings.IS_RABBITMQ else RedisQueues()


def _note(key: TaskKey) -> str:
    pk, attempt = key
    return f"published:{pk}:{attempt}"


def _key(message: bytes) -> TaskKey | None:
    """The job of a message in a list of Redis; None for a task that is no job, and for what others put there."""
    try:
        # Celery writes the arguments into a header for people to read: "['<id>', <attempt>]".
        found = _JOB.fullmatch(orjson.loads(message)["headers"]["argsrepr"])
    except (ValueError, LookupError, TypeError):
        return None
    return (found[1], int(found[2])) if found else None
