"""Is the process of this container ready? `healthcheck.py web | worker QUEUE | reaper` ends with 0, or 1 and why not.

Without Django, because it is asked every few seconds.
"""

import http.client
import json
import os
import socket
import sys
from typing import Any

import psycopg
import redis

SECONDS = 5


def web() -> str:
    """Nothing, or what `/readyz` says."""
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("PORT", "8000")), timeout=SECONDS)
    connection.request("GET", "/readyz")
    response = connection.getresponse()
    return "" if response.status == 200 else response.read().decode()


def worker(queue: str) -> str:
    """Nothing, if a worker process of this container says that it serves `queue` (`workers/presence.py`)."""
    with redis.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=SECONDS) as client:
        names = (name.decode() for name in client.smembers("processes"))
        mine = [f"process:{name}" for name in names if name.startswith(f"{socket.gethostname()}:")]
        found = [json.loads(value) for value in (client.mget(mine) if mine else []) if value]
    if not any(queue in process["queues"] and not process.get("is_draining") for process in found):
        return f"No worker process here serves the queue {queue}."
    return database()


def reaper() -> str:
    """Nothing, if the reaper of this container has looked at its servers a moment ago (`workers/reaper.py`)."""
    with redis.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=SECONDS) as client:
        is_looking = client.exists(f"reaper:{socket.gethostname()}")
    return "" if is_looking else "The reaper has not been able to look at Redis and the database lately."


def database() -> str:
    """Nothing, if PostgreSQL answers. SQLite is a file."""
    if url := os.environ.get("DATABASE_URL"):
        psycopg.connect(url, connect_timeout=SECONDS).close()
    return ""


def trouble(kind: str, *arguments: str) -> str:
    """Nothing, or why the process is not ready; without the addresses and passwords of errors."""
    checks: dict[str, Any] = {"web": web, "worker": worker, "reaper": reaper}
    try:
        return str(checks[kind](*arguments))
    except psycopg.Error:
        return "The database does not answer."
    except redis.RedisError:
        return "Redis does not answer."
    except OSError:
        return "The web process does not answer."


if __name__ == "__main__":
    sys.exit(trouble(*sys.argv[1:]) or 0)
