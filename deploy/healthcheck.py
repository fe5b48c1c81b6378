"""Is the process of this container well? `healthcheck.py web | worker QUEUE | reaper` ends with 0 or 1."""

import http.client
import os
import socket
import sys
from urllib.parse import urlsplit

import redis


def web_answers() -> bool:
    origin = urlsplit(os.environ["ALLOWED_ORIGINS"].partition(",")[0])
    connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=5)
    connection.request("GET", "/sign-in/", headers={"Host": origin.netloc, "X-Forwarded-Proto": origin.scheme})
    return connection.getresponse().status < 400


def has_key(pattern: str) -> bool:
    with redis.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=5) as client:
        return any(True for _ in client.scan_iter(pattern, count=1000))


def is_well(kind: str, *queue: str) -> bool:
    if kind == "web":
        return web_answers()
    if kind == "worker":
        return has_key(f"alive:{queue[0]}:{socket.gethostname()}:*")
    return has_key("reaper")


if __name__ == "__main__":
    sys.exit(not is_well(*sys.argv[1:]))
