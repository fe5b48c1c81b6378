"""Providers that fail, hang, cut off, talk rubbish, or are merely slow: rows 20 to 23."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import psutil
import pytest

from faults.checking import Verdict, check, still_open
from faults.installation import Installation, executed, installation
from faults.recording import Record, Scaled
from faults.runs import connect, sessions
from faults.tabs import Shown, tabs
from tests.backends.fake_provider import FakeProvider
from tests.processes import wait_until
from workers.models import Completion

MEMORY_MIB = 60


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as provider:
        yield provider


def ask(made: Installation, seed: int, count: int = 1, seconds: float = 200) -> tuple[Verdict, dict[str, Shown], float]:
    """Ask `count` people's questions at once; what became of them, and how long it took."""

    async def all_ask(keys: list[str]) -> dict[str, Shown]:
        async with tabs(keys, made.ports, seed) as opened:
            replies = await asyncio.gather(*(tab.ask("Go on") for tab in opened))
            for tab, reply in zip(opened, replies, strict=True):
                await tab.until_finished(reply, seconds)
            return {reply: seen for tab in opened for reply, seen in tab.replies.items()}

    began = time.monotonic()
    shown = asyncio.run(all_ask(sessions(count)))
    took = time.monotonic() - began
    wait_until(lambda: still_open() == 0, 30, "the end of every job")
    return check(shown), shown, took


@pytest.mark.parametrize(
    ("name", "least_seconds"), [("error500-times2-tokens9", 1.0), ("limited3-times1-tokens9", 3.0)]
)
def test_row_20_a_provider_fails_at_first(
    name: str, least_seconds: float, seed: int, record: Record, provider: FakeProvider
) -> None:
    with installation(remotes=1) as made:
        connect(provider.base_url, name)
        verdict, _, took = ask(made, seed)
    record(20, name, {"done": verdict.statuses["done"], "tries": len(provider.chats), "seconds": round(took, 1)})
    assert verdict.is_clean, verdict.complain()
    assert verdict.statuses == {"done": 1}
    assert len(provider.chats) > 1
    assert took >= least_seconds


@pytest.mark.parametrize(("name", "setting"), [("hang", "FIRST_TOKEN"), ("hang3", "BETWEEN_TOKENS")])
@pytest.mark.parametrize("has_other", [False, True], ids=["alone", "with_another_model"])
def test_row_21_a_provider_hangs(
    name: str, setting: str, has_other: bool, seed: int, record: Record, scaled: Scaled, provider: FakeProvider
) -> None:
    limits = {"FIRST_TOKEN": scaled(60, 6), "BETWEEN_TOKENS": scaled(20, 3)}
    environ = {f"{place}_TIMEOUT_SECONDS": str(seconds) for place, seconds in limits.items()}
    with installation(remotes=1, environs={"remote": environ}) as made:
        connect(provider.base_url, name, *(["tokens9"] if has_other else []))
        verdict, _, took = ask(made, seed)
    status = "done" if has_other else "failed"
    record(21, f"{name}, {'another model' if has_other else 'no other'}", {status: 1, "seconds": round(took, 1)})
    assert verdict.is_clean, verdict.complain()
    assert verdict.statuses == {status: 1}
    assert limits[setting] <= took <= limits[setting] + 4


@pytest.mark.parametrize("name", ["cut3", "stop3", "garbage3", "longline", "failing3"])
def test_row_22_a_provider_breaks_off_or_talks_rubbish(
    name: str, seed: int, record: Record, provider: FakeProvider
) -> None:
    with installation(remotes=1) as made:
        memory = psutil.Process(made.remotes[0].process.pid).memory_info
        before = memory().rss
        connect(provider.base_url, f"{name}-tokens9")
        verdict, _, _ = ask(made, seed)
        grown_mib = (memory().rss - before) / 2**20
    record(22, name, {"answers": verdict.replies, **verdict.statuses, "worker grew MiB": round(grown_mib)})
    assert verdict.is_clean, verdict.complain()
    assert verdict.statuses == {"failed": 1}, "half an answer is none"
    assert grown_mib < MEMORY_MIB


def test_row_22_characters_arrive_in_pieces(seed: int, record: Record, provider: FakeProvider) -> None:
    with installation(remotes=1) as made:
        connect(provider.base_url, "multibyte-tokens50")
        verdict, shown, _ = ask(made, seed)
    text = Completion.objects.get().text
    record(22, "characters in pieces", {"answers": verdict.replies, **verdict.statuses})
    assert verdict.is_clean, verdict.complain()
    assert text == "".join(f"é😀{number} " for number in range(50))
    assert "\ufffd" not in next(iter(shown.values())).html


def test_row_23_a_provider_is_slow_but_alive(seed: int, upstream: str, record: Record, scaled: Scaled) -> None:
    first, gap = scaled(50_000, 12_000), scaled(10_000, 4_000)
    with installation(remotes=1) as made:
        connect(upstream, f"ttft{first}-itl{gap}-n3")
        verdict, _, took = ask(made, seed, count=3)
    record(23, "slow but alive", {**verdict.statuses, "attempts": max(verdict.attempts), "seconds": round(took)})
    assert executed() == 3
    assert verdict.is_clean, verdict.complain()
    assert verdict.attempts == {1: 3}, "it was taken for dead"
