"""News for the tabs of a person: what happened in their conversations, that they were signed out.

One capped Redis Stream for everybody, so that a web process reads one key however many tabs it holds; each entry says
whose it is. Losing an entry loses no message.
"""

from __future__ import annotations

import logging
from typing import Any

import orjson
import redis

from workers.connections import client

logger = logging.getLogger(__name__)

FEED = "feed"
KEPT_ENTRIES = 1000  # more than all people together cause while a web process is busy


def tell(user_id: Any, frame: dict[str, Any]) -> None:
    """Send `frame` to every tab of a person. A Redis that is away is logged: a reload shows the same."""
    fields = {"user": str(user_id), "frame": orjson.dumps(frame)}
    try:
        client().xadd(FEED, fields, maxlen=KEPT_ENTRIES, approximate=True)
    except redis.RedisError as error:
        logger.warning("The tabs of person %s were not told: %s", user_id, error)
