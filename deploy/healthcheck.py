"""Is the process of this container well? `healthcheck.py web | worker QUEUE | reaper` ends with 0 or 1."""

import http.client
import json
import os
import socket
import sys
from typing import Any
from urllib.parse import urlsplit

import redis


def web_answers() -> bool:
    origin = urlsplit(os.environ["ALLOWED_ORIGINS"].partition(",")[0])
    connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=5)
    connection.request("GET", "/sign-in/", headers={"Host": origin.netloc, "X-Forwarded-Proto": origin.scheme})
    return connection.getresponse().status < 400


def worker_serves(queue: str, client: Any) -> bool:
    """Whether a worker process of this container says of itself that it serves `queue` (`workers/presence.py`)."""
    names = (name.decode() for name in client.smembers("processes"))
    mine = [f"process:{name}" for name in names if name.startswith(f"{socket.gethostname()}:")]
    return any(queue in json.loads(value)["queues"] for value in (client.mget(mine) if mine else []) if value)


def is_well(kind: str, *queue: str) -> bool:
    if kind == "web":
        return web_answers()
    with redis.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=5) as client:
        return worker_serves(queue[0], client) if kind == "worker" else bool(client.exists("reaper"))


if __name__ == "__main__":
    sys.exit(not is_well(*sys.argv[1:]))
