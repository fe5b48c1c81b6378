"""The process's connection to Redis, and the names of the keys kept there.

reply:<id>                   the stream of one reply (`workers.stream`)
feed                         what happened in people's conversations (`chatsite.chat.feed`)
lease:<kind>:<id>:<attempt>  held by the process that runs a job (`workers.leases`)
cancel:<reply id>            a person has pressed stop
line, line:foreseen          what those who wait are told, and what a new message would meet (`workers.line`)
process:<host>:<pid>         what a worker process says of itself (`workers.presence`)
processes                    the names of all of them
alive:<process>              a channel that this process subscribes to while it lives, on which nobody speaks
drain:<process>              an admin asks a worker process to drain, or to resume (`workers.draining`)
failures:<minute>            how often providers failed, and how (`workers.failures`)
trial:<ticket>               what an admin tries out, and what came of it (`workers.trials`)
throttle:…                   how often strangers did something lately (`chatsite.accounts.throttling`)
previewed:<person>           a tab without a socket has asked for a preview a moment ago (`chatsite.chat.fallbacks`)
reaper                       held by the reaper that is on duty
reaper:<host>                a reaper of this host has looked at Redis, and at the database if it is on duty
published:<id>:<attempt>     RabbitMQ has confirmed this attempt's message (`workers.broker`)
"""

from functools import cache
from typing import Any
from uuid import UUID

import redis
from django.conf import settings


@cache
def client() -> Any:
    """A thread-safe client whose commands fail within seconds when Redis is away; it returns bytes.

    Untyped, because redis-py's annotations describe every protocol and decoding at once.
    """
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=2)


def hasty_client(seconds: float) -> Any:
    """A client of one's own, whose every wait ends after `seconds`: for those who had rather ask again than wait.

    A reply that is late costs it its connection. So a new one begins with the command itself (or the password): with
    redis-py's greetings, each of which is a wait of its own, a slow Redis would never be heard.
    """
    timeouts = {"socket_timeout": seconds, "socket_connect_timeout": seconds}
    return redis.Redis.from_url(settings.REDIS_URL, protocol=2, driver_info=None, **timeouts)


def server_run() -> tuple[str, float]:
    """Which run of the Redis server this is, and for how many seconds it has been up. Raises `redis.RedisError`."""
    info: dict[str, Any] = client().info("server")
    return info["run_id"], float(info["uptime_in_seconds"])


def stream_key(reply_id: UUID | str) -> str:
    return f"reply:{reply_id}"


def wish_key(process: str) -> str:
    return f"drain:{process}"


def looking_key(host: str) -> str:
    return f"reaper:{host}"


def cancel_key(reply_id: UUID | str) -> str:
    return f"cancel:{reply_id}"
