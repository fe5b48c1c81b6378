"""Failed sign-ins are counted, so that nobody can try passwords in bulk."""

from __future__ import annotations

import hashlib
import logging

import redis
from django.conf import settings
from django.http import HttpRequest

from workers.connections import client

logger = logging.getLogger(__name__)

WINDOW_SECONDS = 60
MOST_PER_ADDRESS = 20
# Higher, because whoever knows a name could otherwise keep its owner out with little effort.
MOST_PER_NAME = 60


def is_throttled(request: HttpRequest, name: str) -> bool:
    """Whether too many sign-ins failed within a minute, from this address or for this name."""
    limits = _limits(request, name)
    try:
        counts = client().mget(list(limits))
    except redis.RedisError as error:
        logger.warning("Failed sign-ins cannot be counted: %s", error)
        return False
    return any(int(count or 0) >= most for count, most in zip(counts, limits.values(), strict=True))


def note_failure(request: HttpRequest, name: str) -> None:
    """Count one failed sign-in."""
    try:
        with client().pipeline() as pipeline:
            for key in _limits(request, name):
                pipeline.set(key, 0, nx=True, ex=WINDOW_SECONDS)
                pipeline.incr(key)
            pipeline.execute()
    except redis.RedisError as error:
        logger.warning("A failed sign-in was not counted: %s", error)


def _limits(request: HttpRequest, name: str) -> dict[str, int]:
    hashed = hashlib.sha256(name.casefold().encode("utf-8", "replace")).hexdigest()[:32]
    return {
        f"failed-sign-in:address:{_address(request)}": MOST_PER_ADDRESS,
        f"failed-sign-in:name:{hashed}": MOST_PER_NAME,
    }


def _address(request: HttpRequest) -> str:
    """Where the request comes from; behind our proxy that is what the proxy put last."""
    forwarded = request.headers.get("X-Forwarded-For", "") if settings.BEHIND_PROXY else ""
    return forwarded.rpartition(",")[2].strip()[:64] or request.META.get("REMOTE_ADDR", "")
