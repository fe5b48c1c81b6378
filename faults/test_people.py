"""What people do all at once: send twice, stop, use two tabs. Rows 24, 25 and 29."""

from __future__ import annotations

import asyncio
import random
import time
import uuid

import pytest

from chatsite.chat.models import Message, Turn
from faults.checking import check, still_open
from faults.installation import Installation, executed, installation
from faults.recording import Record, Scaled
from faults.runs import connect, sessions
from faults.tabs import Shown, Tab, tabs
from tests.backends.fake_provider import FakeProvider
from tests.processes import wait_until

pytestmark = pytest.mark.database

CLOSED_SECONDS = 2.0


def test_row_24_the_same_message_is_sent_many_times_at_once(seed: int, upstream: str, record: Record) -> None:
    connect(upstream, "ttft50-itl20-n20")
    client_id = str(uuid.UUID(int=seed))

    async def send_from_all(made: Installation, key: str) -> list[tuple[str, Shown]]:
        async with tabs([key] * 50, made.ports, seed) as opened:
            replies = await asyncio.gather(*(tab.ask("Only once", client_id=client_id) for tab in opened))
            await asyncio.gather(*(tab.until_finished(reply) for tab, reply in zip(opened, replies, strict=True)))
            return [(reply, tab.replies[reply]) for tab, reply in zip(opened, replies, strict=True)]

    with installation(webs=2, remotes=1) as made:
        shown = asyncio.run(send_from_all(made, sessions(1)[0]))
    verdicts = [check({reply: seen}, 20) for reply, seen in shown]
    messages, turns = Message.objects.filter(role="user").count(), Turn.objects.count()
    record(24, "50 times the same message", {"messages": messages, "replies": turns, "executed": executed()})
    assert (messages, turns, executed()) == (1, 1, 1)
    assert all(verdict.is_clean for verdict in verdicts)
    assert len({seen.html for _, seen in shown}) == 1


def test_row_29_an_answer_is_stopped_at_a_random_moment(seed: int, record: Record, scaled: Scaled) -> None:
    chance = random.Random(seed)

    async def stop_often(made: Installation, keys: list[str], each: int) -> tuple[dict[str, Shown], list[float]]:
        async with tabs(keys, made.ports, seed) as opened:
            closed = await asyncio.gather(*(_stop(tab, provider, chance, each) for tab in opened))
            shown = {reply: seen for tab in opened for reply, seen in tab.replies.items()}
            return shown, [seconds for times in closed for seconds in times]

    with FakeProvider() as provider, installation(remotes=1) as made:
        connect(provider.base_url, "delay20-tokens100")
        shown, closed = asyncio.run(stop_often(made, sessions(10), scaled(20, 2)))
        wait_until(lambda: still_open() == 0, 30, "the end of every job")
    verdict = check(shown)
    record(
        29,
        "stopped at a random token",
        {
            "answers": verdict.replies,
            "stopped": verdict.statuses["cancelled"],
            "lost": len(verdict.lost),
            "wrong": len(verdict.corrupt),
            "provider closed after s": round(max(closed, default=0), 2),
        },
    )
    assert verdict.is_clean, verdict.complain()
    assert set(verdict.statuses) <= {"cancelled", "done"}
    assert verdict.statuses["cancelled"]
    assert max(closed) < CLOSED_SECONDS


async def _stop(tab: Tab, provider: FakeProvider, chance: random.Random, each: int) -> list[float]:
    """Ask and stop, and the seconds until the provider sees that nobody listens any more."""
    closed = []
    for _ in range(each):
        text = f"Question {uuid.uuid4()}"
        reply = await tab.ask(text)
        tokens, shown = chance.randrange(0, 110), tab.replies[reply]
        await tab.until(lambda: len(shown.text.split()) >= tokens or shown.status, 60, "some text")  # noqa: B023
        pressed = time.monotonic()
        await tab.say(type="stop", reply=reply)
        await tab.until_finished(reply)
        for request in provider.chats:
            if shown.status == "cancelled" and request.body["messages"][-1]["content"] == text:
                assert await asyncio.to_thread(request.hung_up.wait, 10)
                closed.append(time.monotonic() - pressed)
    return closed


def test_row_25_two_tabs_do_everything_at_once(seed: int, upstream: str, record: Record, scaled: Scaled) -> None:
    """Both send, stop and ask again; within a second of the last end both show the same."""
    connect(upstream, "ttft50-itl30-n30")
    apart: list[float] = []

    async def act(made: Installation, key: str) -> list[dict[str, Shown]]:
        chance = random.Random(seed)
        async with tabs([key] * 2, made.ports, seed) as (one, other):
            for _ in range(scaled(10, 3)):
                replies = await asyncio.gather(one.ask("From one"), other.ask("From the other"))
                await asyncio.sleep(chance.random())
                await asyncio.gather(*(tab.say(type="stop", reply=reply) for tab in (one, other) for reply in replies))
                for tab in (one, other):
                    await asyncio.gather(*(tab.until_finished(reply) for reply in replies))
                known = len(one.replies)
                await asyncio.gather(*(tab.say(type="again", reply=replies[0]) for tab in (one, other)))
                apart.append(await _until_same(one, other, known))
            return [one.replies, other.replies]

    with installation(webs=2, remotes=1) as made:
        one, other = asyncio.run(act(made, sessions(1)[0]))
        wait_until(lambda: still_open() == 0, 30, "the end of every job")
    verdicts = [check(one), check(other)]
    figures = {"answers": len(one), "executed": executed(), "apart worst s": round(max(apart), 2)}
    record(25, "two tabs", {**figures, "wrong": sum(len(verdict.corrupt) for verdict in verdicts)})
    for verdict in verdicts:
        assert verdict.is_clean, verdict.complain()
    assert {reply: seen.html for reply, seen in one.items()} == {reply: seen.html for reply, seen in other.items()}
    assert max(apart) < 1


async def _until_same(one: Tab, other: Tab, known: int) -> float:
    """Wait until both show the end of more than the `known` replies; the seconds from the one to the other."""

    async def done(tab: Tab) -> float:
        await tab.until(
            lambda: len(tab.replies) > known and all(seen.status for seen in tab.replies.values()), 60, "every end"
        )
        return time.monotonic()

    ends = await asyncio.gather(done(one), done(other))
    return abs(ends[0] - ends[1])
