"""One person's feed: what their other tabs should hear of. A capped Redis Stream; losing an entry loses no message."""

from __future__ import annotations

import logging
from typing import Any

import orjson
import redis

from workers.connections import client

logger = logging.getLogger(__name__)

KEPT_ENTRIES = 100


def feed_key(user_id: Any) -> str:
    return f"feed:{user_id}"


def tell(user_id: Any, frame: dict[str, Any]) -> None:
    """Send `frame` to every tab of a person. A Redis that is away is logged: a reload shows the same."""
    key = feed_key(user_id)
    try:
        client().xadd(key, {"frame": orjson.dumps(frame)}, maxlen=KEPT_ENTRIES, approximate=True)
        client().expire(key, 24 * 3600)
    except redis.RedisError as error:
        logger.warning("The tabs of person %s were not told: %s", user_id, error)
