"""Redis restarts, forgets, is full, silent or slow: rows 12 to 16."""

from __future__ import annotations

import asyncio
import random
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import redis

from faults.installation import Hit, Installation, installation
from faults.pages import Browser
from faults.proxy import Proxy
from faults.recording import Record, Scaled
from faults.runs import Load, perform, sessions, until_busy
from faults.tabs import Tab
from tests.environment import redis_server
from workers.connections import client

pytestmark = pytest.mark.database

REFUSED_OR_ACCEPTED = {302, 429, 503}


class Outage:
    """What happens while Redis is away, and how long everybody needs after its return."""

    def __init__(self, key: str) -> None:
        self._key = key  # of a person who posts messages meanwhile
        self.statuses: list[int] = []
        self.resumed: list[float] = []

    @asynccontextmanager
    async def around(self, made: Installation, opened: list[Tab]) -> AsyncIterator[None]:
        """Redis goes away in the block and is back at its end; returns when every tab has heard of its answer."""
        await until_busy(made)
        await asyncio.sleep(1)
        sending = asyncio.create_task(self._send(made.ports[0]))
        yield
        back = time.monotonic()
        waiting = [tab for tab in opened if any(not shown.status for shown in tab.replies.values())]
        for tab in waiting:
            await tab.until(lambda tab=tab: tab.heard_at > back, 90, "news")
        self.resumed.append(max((tab.heard_at - back for tab in waiting), default=0.0))
        sending.cancel()

    async def _send(self, port: int) -> None:
        while True:
            self.statuses.append(await asyncio.to_thread(Browser(self._key, port).send, "Meanwhile"))
            await asyncio.sleep(0.5)

    def figures(self) -> dict[str, Any]:
        return {"resumed worst s": round(max(self.resumed), 2), "posts meanwhile": str(sorted(set(self.statuses)))}


@pytest.fixture
def outage() -> Outage:
    return Outage(sessions(1, "poster")[0])


@pytest.mark.parametrize("down", [1, 30])
def test_row_12_redis_is_killed_and_comes_back(
    down: int, seed: int, upstream: str, record: Record, scaled: Scaled, outage: Outage
) -> None:
    async def restart(made: Installation, chance: random.Random, opened: list[Tab]) -> list[Hit]:
        async with outage.around(made, opened):
            hit = Hit(time.monotonic(), set().union(*(part.running() for part in made.remotes)))
            redis_server.kill()
            await asyncio.sleep(down if down == 1 else scaled(down, 6))
            redis_server.start()
        return [hit]

    load = Load(tabs=scaled(100, 10), tokens=scaled(500, 200), gap_ms=100)
    with installation(remotes=2, concurrency=64) as made:
        run = perform(made, upstream, load, restart, seed)
    record(12, f"Redis restarted, down {down} s", {**run.figures(), **outage.figures()})
    run.must_be_clean()
    assert set(outage.statuses) <= REFUSED_OR_ACCEPTED
    assert max(outage.resumed) < 5


def test_row_13_redis_loses_everything(
    seed: int, upstream: str, record: Record, scaled: Scaled, outage: Outage
) -> None:
    async def wipe(made: Installation, chance: random.Random, opened: list[Tab]) -> list[Hit]:
        async with outage.around(made, opened):
            hit = Hit(time.monotonic(), set().union(*(part.running() for part in made.remotes)))
            redis_server.kill()
            for kept in Path(redis_server.directory).glob("appendonly*"):
                shutil.rmtree(kept) if kept.is_dir() else kept.unlink()
            redis_server.start()
        return [hit]

    load = Load(tabs=scaled(100, 10), tokens=200, gap_ms=100)
    with installation(remotes=2, concurrency=64) as made:
        run = perform(made, upstream, load, wipe, seed)
    record(13, "Redis wiped", {**run.figures(), **outage.figures(), "attempts": max(run.verdict.attempts)})
    run.must_be_clean()
    assert max(run.verdict.attempts) <= 2


def test_row_14_redis_is_full(seed: int, upstream: str, record: Record, scaled: Scaled, outage: Outage) -> None:
    async def fill(made: Installation, chance: random.Random, opened: list[Tab]) -> list[Hit]:
        async with outage.around(made, opened):
            hit = Hit(time.monotonic(), set().union(*(part.running() for part in made.remotes)))
            client().config_set("maxmemory-policy", "noeviction")
            client().config_set("maxmemory", "20mb")
            with suppress(redis.ResponseError):  # it says that it is full
                while True:
                    client().rpush("filling", "x" * 100_000)
            await asyncio.sleep(scaled(20, 8))
            client().config_set("maxmemory", "0")
            client().delete("filling")
        return [hit]

    load = Load(tabs=scaled(100, 10), tokens=200, gap_ms=100)
    with installation(remotes=2, concurrency=64) as made:
        run = perform(made, upstream, load, fill, seed)
        starts = [part.starts for part in made.parts]
    record(14, "Redis full", {**run.figures(), **outage.figures()})
    run.must_be_clean()
    assert set(starts) == {1}, "a process has ended because of it"
    assert set(outage.statuses) <= REFUSED_OR_ACCEPTED


def test_row_15_redis_falls_silent(seed: int, upstream: str, record: Record, scaled: Scaled, outage: Outage) -> None:
    async def fall_silent(made: Installation, chance: random.Random, opened: list[Tab]) -> list[Hit]:
        async with outage.around(made, opened):
            hit = Hit(time.monotonic(), set().union(*(part.running() for part in made.remotes)))
            proxy.is_silent = True
            await asyncio.sleep(scaled(25, 10))
            proxy.is_silent = False
        return [hit]

    load = Load(tabs=scaled(100, 10), tokens=scaled(450, 250), gap_ms=100)
    with (
        Proxy(redis_server.port, seed) as proxy,
        installation(remotes=2, concurrency=64, REDIS_URL=f"redis://127.0.0.1:{proxy.port}/0") as made,
    ):
        run = perform(made, upstream, load, fall_silent, seed)
    record(15, "Redis half open", {**run.figures(), **outage.figures()})
    run.must_be_clean()
    assert max(outage.resumed) < 10


def test_row_16_redis_is_slow_and_breaks_connections(seed: int, upstream: str, record: Record, scaled: Scaled) -> None:
    async def make_slow(made: Installation, chance: random.Random, opened: list[Tab]) -> list[Hit]:
        await until_busy(made)
        hit = Hit(time.monotonic(), set().union(*(part.running() for part in made.remotes)))
        proxy.delay_seconds, proxy.reset_share = 0.2, 0.05
        await asyncio.sleep(scaled(60, 15))
        proxy.delay_seconds = proxy.reset_share = 0.0
        return [hit]

    # With SQLite, a web process waits for Redis on behalf of one message after the other.
    load = Load(tabs=scaled(50, 10), each=3, tokens=60, gap_ms=100, patience_s=180)
    with (
        Proxy(redis_server.port, seed) as proxy,
        installation(remotes=2, concurrency=64, REDIS_URL=f"redis://127.0.0.1:{proxy.port}/0") as made,
    ):
        run = perform(made, upstream, load, make_slow, seed)
        resets = proxy.resets
    record(16, "Redis slow and broken", {**run.figures(), "resets": resets})
    run.must_be_clean()
    assert resets
