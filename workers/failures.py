"""Failures of models, counted for an hour by provider and code: also those that another try or another model healed."""

from __future__ import annotations

import logging
import time
from collections import Counter
from dataclasses import dataclass

import redis

from workers.connections import client

logger = logging.getLogger(__name__)

MINUTES = 60


@dataclass(frozen=True)
class Failures:
    """How often a provider failed in one way within the last hour."""

    provider: str
    code: str  # of `workers.errors`
    count: int


def note(provider: str, code: str) -> None:
    """Count one. Redis being away loses the count and nothing else."""
    key = f"failures:{int(time.time() // 60)}"
    try:
        with client().pipeline(transaction=False) as pipeline:
            pipeline.hincrby(key, f"{code} {provider}", 1)
            pipeline.expire(key, (MINUTES + 1) * 60)
            pipeline.execute()
    except redis.RedisError as error:
        logger.warning("A failure of %s (%s) could not be counted: %s", provider, code, error)


def last_hour() -> list[Failures]:
    """All of the last hour, the most frequent first. Raises `redis.RedisError`."""
    now = int(time.time() // 60)
    with client().pipeline(transaction=False) as pipeline:
        for minute in range(now - MINUTES + 1, now + 1):
            pipeline.hgetall(f"failures:{minute}")
        found = pipeline.execute()
    counts: Counter[str] = Counter()
    for minute in found:
        counts.update({field.decode(): int(count) for field, count in minute.items()})
    return [_parsed(field, count) for field, count in counts.most_common()]


def _parsed(field: str, count: int) -> Failures:
    code, provider = field.split(" ", 1)
    return Failures(provider, code, count)
