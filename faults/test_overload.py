"""Ten times the load that the workers carry: row 28, in short; `bench/` has the figures of admission."""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from faults.installation import Hit, Installation, installation
from faults.pages import Browser
from faults.recording import Record, Scaled
from faults.runs import Load, no_fault, p95, perform, sessions, until_busy
from faults.tabs import Tab

pytestmark = pytest.mark.database

SLOTS = 8


def test_row_28_ten_times_too_many_ask(seed: int, upstream: str, record: Record, scaled: Scaled) -> None:
    statuses: list[int] = []
    key = sessions(1)[0]

    async def look(made: Installation, chance: random.Random, opened: list[Tab]) -> list[Hit]:
        await until_busy(made)
        until = time.monotonic() + scaled(60, 10)
        while time.monotonic() < until:
            statuses.append((await asyncio.to_thread(Browser(key, made.ports[0]).get))[0])
            await asyncio.sleep(0.5)
        return [Hit(time.monotonic(), {"everybody"})]

    usual = Load(tabs=SLOTS, each=3, tokens=20, gap_ms=50)
    load = Load(tabs=10 * SLOTS, each=scaled(6, 2), tokens=20, gap_ms=50)
    with installation(remotes=1, concurrency=SLOTS, WAITING_IN_ALL=str(4 * SLOTS), LONGEST_WAIT_SECONDS="60") as made:
        alone = perform(made, upstream, usual, no_fault, seed)
        run = perform(made, upstream, load, look, seed)
    times = {"p95 s": round(p95(run.answer_seconds), 1), "p95 without load s": round(p95(alone.answer_seconds), 1)}
    record(28, "ten times the load", {**run.figures(), **times, "refusals": run.refusals})
    run.must_be_clean()
    assert set(run.verdict.statuses) == {"done"}
    assert set(statuses) == {200}
