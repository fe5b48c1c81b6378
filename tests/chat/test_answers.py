"""Messages that real worker processes answer, over real Redis, as a tab sees it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.answers import words
from tests.backends.fake_provider import FakeProvider
from tests.chat.sockets import ask, make_async, stored, tab
from tests.conftest import Connect
from tests.sessions import session_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]


@pytest.fixture
def session(alice: Any) -> str:
    return session_of(alice)


async def test_a_summary_is_routed_and_answered(workers: Any, session: str) -> None:
    text = (
        "tl;dr in one sentence please: The harbour was closed on Monday after a storm had torn two cranes from "
        "their rails. Repairs will take a week. Ships wait outside, and the shops run out of fruit. The mayor "
        "says that nobody was hurt. The port's insurance pays for the cranes."
    )
    async with tab(session) as alice_tab:
        turn = await ask(alice_tab, text)
        finished = await alice_tab.until("finished")
    row = await stored(turn["reply"])
    assert row.completion is not None
    assert row.decision is not None
    assert (row.decision.route, row.completion.status) == ("summarise", "done")
    assert alice_tab.text_of(turn["reply"]) in ("", row.completion.text)
    assert row.completion.text.strip() in text
    assert "Summary" in finished["html"]


async def test_what_is_shown_is_what_is_stored(
    workers: Any, session: str, provider: FakeProvider, connect: Connect
) -> None:
    await make_async(connect)("gate10-tokens200")
    async with tab(session) as alice_tab:
        turn = await ask(alice_tab, "Tell me a story about a lighthouse", route="generate")
        await alice_tab.until_shown(turn["reply"], "t2 ")
        provider.release()
        await alice_tab.until("finished")
    row = await stored(turn["reply"])
    assert row.completion is not None
    assert alice_tab.text_of(turn["reply"]) == row.completion.text == words(200)


async def test_a_tab_that_comes_back_goes_on_where_it_was(
    workers: Any, session: str, provider: FakeProvider, connect: Connect
) -> None:
    await make_async(connect)("gate10-tokens50")
    async with tab(session) as first:
        turn = await ask(first, "Tell me a story about a bridge", route="generate")
        last = await first.until_shown(turn["reply"], "t9 ")
    async with tab(session) as second:
        await second.send(type="attach", reply=turn["reply"], after=last)
        await second.send(type="ping")
        await second.until("pong")  # so that it watches before there is more to see
        provider.release()
        await second.until("finished")
    assert first.text_of(turn["reply"]) + "".join(
        frame["text"] for frame in second.frames if frame["type"] == "delta"
    ) == words(50)


async def test_a_new_tab_gets_everything_so_far(
    workers: Any, session: str, provider: FakeProvider, connect: Connect
) -> None:
    await make_async(connect)("gate10-tokens50")
    async with tab(session) as first, tab(session) as second:
        turn = await ask(first, "Tell me a story about a well", route="generate")
        await first.until_shown(turn["reply"], "t9 ")
        await second.send(type="attach", reply=turn["reply"])
        snapshot = await second.until("snapshot")
        assert snapshot["tail"] == first.text_of(turn["reply"])
        assert snapshot["length"] == len(snapshot["tail"])
        provider.release()
        await second.until("finished")


async def test_an_answer_can_be_stopped(workers: Any, session: str, provider: FakeProvider, connect: Connect) -> None:
    await make_async(connect)("gate3-tokens50")
    async with tab(session) as alice_tab:
        turn = await ask(alice_tab, "Tell me everything", route="generate")
        await alice_tab.until_shown(turn["reply"], "t2 ")
        await alice_tab.send(type="stop", reply=turn["reply"])
        finished = await alice_tab.until("finished")
        if not any(frame["type"] == "stopped" for frame in alice_tab.frames):
            await alice_tab.until("stopped", reply=turn["reply"])
    assert finished["status"] == "cancelled"
    row = await stored(turn["reply"])
    assert row.completion is not None
    assert row.completion.text.startswith("t0 ")
    assert provider.chats[0].hung_up.wait(30), "the provider was left generating"


async def test_without_a_generative_model_the_person_is_told_at_once(workers: Any, session: str) -> None:
    async with tab(session) as alice_tab:
        turn = await ask(alice_tab, "Write me a poem about rain")
        finished = await alice_tab.until("finished")
    assert finished["status"] == "failed"
    assert "No generative model is connected" in finished["html"]
    row = await stored(turn["reply"])
    assert (row.completion, row.error_code) == (None, "no_model")


@pytest.mark.parametrize(
    ("model", "code"),
    [
        ("error401", "provider_refused"),
        ("error404", "unknown_model"),
        ("error500", "provider_unavailable"),
        ("cut3", "stream_cut"),
        ("stop3", "stream_cut"),
        ("toolong", "context_too_long"),
    ],
)
async def test_a_provider_that_fails_is_named_as_failed(
    workers: Any, session: str, provider: FakeProvider, connect: Connect, model: str, code: str
) -> None:
    await make_async(connect)(model)
    async with tab(session) as alice_tab:
        turn = await ask(alice_tab, "Tell me a story", route="generate")
        finished = await alice_tab.until("finished", seconds=60)
    row = await stored(turn["reply"])
    assert row.completion is not None
    assert (finished["status"], row.completion.error_code) == ("failed", code)
    assert "Traceback" not in finished["html"]
    # What had been written stays.
    assert row.completion.text == ("t0 t1 t2 " if code == "stream_cut" else "")
    assert ("t0 t1 t2" in finished["html"]) == (code == "stream_cut")


async def test_a_provider_that_recovers_is_asked_again(
    workers: Any, session: str, provider: FakeProvider, connect: Connect
) -> None:
    await make_async(connect)("error500-times2-tokens5")
    async with tab(session) as alice_tab:
        turn = await ask(alice_tab, "Tell me a story", route="generate")
        assert (await alice_tab.until("finished"))["status"] == "done"
    assert (await stored(turn["reply"])).completion.text == "t0 t1 t2 t3 t4 "  # type: ignore[union-attr]


async def test_the_next_model_of_the_route_takes_over(
    workers: Any, session: str, provider: FakeProvider, connect: Connect
) -> None:
    await make_async(connect)("error404", "tokens4")
    async with tab(session) as alice_tab:
        turn = await ask(alice_tab, "Tell me a story", route="generate")
        assert (await alice_tab.until("finished"))["status"] == "done"
    row = await stored(turn["reply"])
    assert row.completion is not None
    assert str(row.completion.answered_by) == "tokens4"
    assert alice_tab.text_of(turn["reply"]) == "t0 t1 t2 t3 "
