"""Web processes that die or are deployed anew, people who reload and who are away: rows 8 to 11, 30 and 31."""

from __future__ import annotations

import asyncio
import random
import signal
import time

import pytest

from faults.installation import Hit, Installation, Part, installation
from faults.recording import Record, Scaled
from faults.runs import Load, p95, perform, until_busy
from faults.tabs import Tab
from workers.connections import client, stream_key

EXIT_SECONDS = 20.0


def test_row_8_one_of_two_web_processes_is_killed(seed: int, upstream: str, record: Record, scaled: Scaled) -> None:
    back: list[float] = []

    async def kill_web(made: Installation, chance: random.Random, opened: list[Tab]) -> list[Hit]:
        await until_busy(made)
        await asyncio.sleep(1 + chance.random())
        number = chance.randrange(len(made.webs))
        lost = [tab for tab in opened if tab.port == made.ports[number]]
        killed = time.monotonic()
        made.webs[number].process.send(signal.SIGKILL)
        for tab in lost:
            await tab.until(lambda tab=tab: tab.heard_at > killed + 0.1, 30, "its return")
        back.extend(sorted(tab.opened_at[-1] - killed for tab in lost))
        return [Hit(killed, {"sockets"})] if lost else []

    load = Load(tabs=scaled(200, 20), tokens=100, gap_ms=100)
    with installation(webs=2, remotes=2, concurrency=128) as made:
        run = perform(made, upstream, load, kill_web, seed)
    times = {"back p95 s": round(p95(back), 2), "back worst s": round(back[-1], 2)}
    record(8, "web process killed", {**run.figures(), **times})
    run.must_be_clean()
    assert set(run.verdict.attempts) == {1}, "the answers had nothing to do with it"
    assert p95(back) < 3


def test_row_9_everybody_reloads_all_the_time(seed: int, upstream: str, record: Record, scaled: Scaled) -> None:
    async def reload(made: Installation, chance: random.Random, opened: list[Tab]) -> list[Hit]:
        async def reload_often(tab: Tab) -> None:
            until = time.monotonic() + 10
            while time.monotonic() < until:
                await asyncio.sleep(0.5 + 1.5 * chance.random())
                await tab.reload()

        await until_busy(made)
        await asyncio.gather(*(reload_often(tab) for tab in opened))
        return [Hit(time.monotonic(), {"pages"})]

    load = Load(tabs=scaled(100, 10), tokens=150, gap_ms=100)
    with installation(remotes=1, concurrency=128) as made:
        run = perform(made, upstream, load, reload, seed)
    record(9, "reloads", {**run.figures(), "reloads": len(run.pages_before)})
    run.must_be_clean()
    assert run.pages_before
    assert not [disorder for page in run.pages_before for disorder in page.disorder]


@pytest.mark.parametrize("is_forgotten", [False, True], ids=["stream_kept", "stream_gone"])
def test_row_10_somebody_is_away_for_a_while(
    is_forgotten: bool, seed: int, upstream: str, record: Record, scaled: Scaled
) -> None:
    """Hours are a stream that has run out: what Redis forgets is shown from the database."""

    async def go_away(made: Installation, chance: random.Random, opened: list[Tab]) -> list[Hit]:
        await until_busy(made)
        for tab in opened:
            await tab.until(lambda tab=tab: any(shown.text for shown in tab.replies.values()), 30, "some text")
        away = opened[::2]
        await asyncio.gather(*(tab.close() for tab in away))
        await asyncio.sleep(scaled(60, 8))
        for tab in away if is_forgotten else []:
            client().delete(*(stream_key(reply) for reply in tab.replies))
        await asyncio.gather(*(tab.open() for tab in away))
        return [Hit(time.monotonic(), {"people"})]

    load = Load(tabs=scaled(50, 10), tokens=60 if is_forgotten else scaled(600, 80), gap_ms=100)
    with installation(remotes=1, concurrency=64) as made:
        run = perform(made, upstream, load, go_away, seed)
    record(10, "away, and the stream is gone" if is_forgotten else "away", run.figures())
    run.must_be_clean()
    assert set(run.verdict.attempts) == {1}


@pytest.mark.database
def test_row_11_everything_is_deployed_anew_under_load(
    seed: int, upstream: str, record: Record, scaled: Scaled
) -> None:
    exits: list[float] = []

    async def deploy(made: Installation, chance: random.Random, opened: list[Tab]) -> list[Hit]:
        await until_busy(made)
        hits = []
        for _ in range(scaled(5, 1)):
            for part in made.parts:
                await asyncio.sleep(chance.random())
                hits.append(Hit(time.monotonic(), part.running()))
                exits.append(await _restart(part))
        return hits

    load = Load(tabs=scaled(100, 10), each=scaled(5, 1), tokens=250, gap_ms=100)
    with installation(webs=2, routes=2, remotes=2, concurrency=64) as made:
        run = perform(made, upstream, load, deploy, seed)
    record(11, "rolling deploy", {**run.figures(), "exit worst s": round(max(exits), 2)})
    run.must_be_clean()
    assert set(run.verdict.statuses) == {"done"}
    assert run.busy_hits
    assert max(exits) <= EXIT_SECONDS


async def _restart(part: Part) -> float:
    """End a process as a deploy does, start the next one; the seconds until it has ended."""
    part.is_supervised = False
    began = time.monotonic()
    part.process.send(signal.SIGTERM)
    while part.process.is_running():
        await asyncio.sleep(0.02)
        assert time.monotonic() - began < 60, "it does not end"
    seconds = time.monotonic() - began
    part.start()
    await asyncio.to_thread(part.wait)
    part.is_supervised = True
    return seconds
