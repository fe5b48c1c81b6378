"""News for the tabs of a person: what happened in their conversations, that they were signed out.

One capped Redis Stream for everybody, so that a web process reads one key however many tabs it holds; each entry says
whose it is. Losing an entry loses no message.
"""

from __future__ import annotations

import logging
import time
from typing import Any

import orjson
import redis

from chatsite.chat.frames import Frame
from workers.connections import client

logger = logging.getLogger(__name__)

FEED = "feed"
KEPT_ENTRIES = 1000  # more than all people together cause while a web process is busy
KEPT_SECONDS = 3600  # longer than a tab stays away before it looks at its page anew


def tell(user_id: Any, frame: Frame) -> None:
    """Send `frame` to every tab of a person. A Redis that is away is logged: a reload shows the same."""
    fields = {"user": str(user_id), "frame": orjson.dumps(frame)}
    try:
        client().xadd(FEED, fields, maxlen=KEPT_ENTRIES, approximate=True)
    except redis.RedisError as error:
        logger.warning("The tabs of person %s were not told: %s", user_id, error)


def forget(user_id: Any) -> None:
    """Take out what was sent to a person. A Redis that is away is logged: what is old goes by itself."""
    try:
        entries = client().xrange(FEED)
        if theirs := [pk for pk, fields in entries if fields.get(b"user") == str(user_id).encode()]:
            client().xdel(FEED, *theirs)
    except redis.RedisError as error:
        logger.warning("What was sent to person %s stays for a while: %s", user_id, error)


def sweep(**_: Any) -> None:
    """Take out what is old, as it shows what people wrote. The reaper calls this."""
    client().xtrim(FEED, minid=f"{int((time.time() - KEPT_SECONDS) * 1000)}-0", approximate=False)


def newest() -> str:
    """The id of the last news, so that a page can say how far it knows them; empty if Redis is away."""
    try:
        entries: Any = client().xrevrange(FEED, count=1)
    except redis.RedisError:
        return ""
    return entries[0][0].decode() if entries else "0-0"
