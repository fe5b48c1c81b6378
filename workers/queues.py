"""What is waiting in the broker: needed to tell a row that got lost from one that merely waits."""

from __future__ import annotations

import re
from typing import Any

import orjson
from django.conf import settings

from workers.connections import client

_JOB = re.compile(r"[\[(]'([^']+)', (\d+)[\])]")
TaskKey = tuple[str, int]  # the id of a row, and its attempt


def waiting(queues: set[str]) -> set[TaskKey]:
    """The jobs in these queues, as Celery's Redis transport keeps them. Raises `redis.RedisError`."""
    lists = [name for queue in queues for name in _lists(queue)]
    with client().pipeline(transaction=False) as pipeline:
        for name in lists:
            pipeline.lrange(name, 0, -1)
        messages = [message for found in pipeline.execute() for message in found]
    return {key for message in messages if (key := _key(message))}


def _lists(queue: str) -> list[str]:
    """Kombu keeps one list for each priority step; the first has the queue's own name."""
    options: dict[str, Any] = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    return [f"{queue}{options['sep']}{step}" if step else queue for step in options["priority_steps"]]


def _key(message: bytes) -> TaskKey | None:
    """The job of a message; None for a task that is no job."""
    # Celery writes the arguments into a header for people to read: "['<id>', <attempt>]".
    found = _JOB.fullmatch(orjson.loads(message)["headers"].get("argsrepr") or "")
    return (found[1], int(found[2])) if found else None


def broker_run_id() -> tuple[str, float]:
    """Which run of the Redis server this is, and for how many seconds it has been up."""
    info: dict[str, Any] = client().info("server")
    return info["run_id"], float(info["uptime_in_seconds"])
