"""A clock jumps by an hour, there or back, in one process: row 19."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

import pytest

from faults.installation import Hit, Installation, installation
from faults.recording import Record, Scaled
from faults.runs import Load, perform, until_busy
from faults.tabs import Tab

pytestmark = pytest.mark.database

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


@pytest.mark.parametrize("hours", [1, -1])
@pytest.mark.parametrize("tier", ["reaper"])  # in a worker libfaketime makes time.sleep fail: no jump of a clock does
def test_row_19_a_clock_jumps(
    tier: str, hours: int, seed: int, upstream: str, record: Record, scaled: Scaled, tmp_path: Path
) -> None:
    assert LIBRARY, "row 19 needs libfaketime; on Debian: apt install libfaketime"
    clock = tmp_path / "clock"
    clock.write_text("+0")
    faked = {"LD_PRELOAD": str(LIBRARY), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1"}

    async def jump(made: Installation, chance: random.Random, opened: list[Tab]) -> list[Hit]:
        await until_busy(made)
        await asyncio.sleep(2)
        new = clock.with_suffix(".new")
        new.write_text(f"{hours:+d}h")
        new.replace(clock)  # never half written: every look at the time reads it
        hit = Hit(time.monotonic(), set().union(*(part.running() for part in made.remotes)))
        await asyncio.sleep(5)
        return [hit]

    load = Load(tabs=scaled(50, 10), tokens=100, gap_ms=100)
    with installation(
        remotes=1, concurrency=64, environs={tier: {**faked, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}}
    ) as made:
        run = perform(made, upstream, load, jump, seed)
    record(19, f"clock of the {tier} jumps {hours:+d} h", {**run.figures(), "attempts": max(run.verdict.attempts)})
    run.must_be_clean()
    assert set(run.verdict.attempts) == {1}, "an attempt that nothing called for"
