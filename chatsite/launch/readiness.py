"""Is everything up? The web process answers, and a worker of every queue says that it is alive."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import redis.asyncio
from redis.exceptions import RedisError
from tornado.httpclient import AsyncHTTPClient, HTTPClientError

from chatsite.launch.procfile import Process
from workers import presence

LOOK_SECONDS = 0.2
REPORT_SECONDS = 10.0


async def wait_for_redis(url: str, *, is_running: Callable[[], bool]) -> bool:
    """Return True when the server of `url` answers, False if its process ended first."""
    async with redis.asyncio.Redis.from_url(url) as client:
        while is_running():
            try:
                await client.ping()
            except RedisError:  # not listening yet, or still loading its data
                await asyncio.sleep(LOOK_SECONDS / 4)
            else:
                return True
    return False


async def wait_for_all(
    processes: list[Process], *, port: int, redis_url: str, still_waiting: Callable[[list[str]], None]
) -> None:
    """Return when `processes` are up. Every few seconds `still_waiting` is told the names of those that are not."""
    loop = asyncio.get_running_loop()
    report_at = loop.time() + REPORT_SECONDS
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        while missing := [process.name for process in processes if not await _is_up(process, port, client)]:
            if loop.time() >= report_at:
                still_waiting(missing)
                report_at = loop.time() + REPORT_SECONDS
            await asyncio.sleep(LOOK_SECONDS)


async def _is_up(process: Process, port: int, client: redis.asyncio.Redis) -> bool:
    if process.name == "web":
        return await _answers(f"http://127.0.0.1:{port}/readyz")
    if process.queue:
        return await _is_served(process.queue, client)
    return True


async def _is_served(queue: str, client: Any) -> bool:
    names = [name.decode() for name in await client.smembers(presence.INDEX)]
    values = await client.mget(map(presence.key, names)) if names else []
    return any(presence.parse(value).serves(queue) for value in values if value)


async def _answers(url: str) -> bool:
    try:
        response = await AsyncHTTPClient().fetch(url, raise_error=False, follow_redirects=False, request_timeout=5)
    except (OSError, HTTPClientError):
        return False
    return response.code < 500
