"""How much one person and all together may ask for at once, and what they are told beyond that."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from chatsite.chat import admission, threads
from chatsite.chat.models import Conversation, Message, Turn
from chatsite.chat.threads import in_thread
from tests.chat.sockets import Tab, make_async, tab
from tests.pages import rows
from tests.sessions import browser_of, session_of
from workers import line
from workers.connections import client
from workers.limits import GroupLimits

pytestmark = pytest.mark.django_db(transaction=True)

OPEN_PER_PERSON = 2 + 5


@pytest.fixture(autouse=True)
def _published(transactional_db: None) -> None:
    admission._full_sites.clear()
    rows.revision()


@pytest.fixture
def alice_session(alice: Any) -> str:
    return session_of(alice)


def ask(browser: Client, **fields: str) -> Any:
    return browser.post("/", {"text": "Hello", "client_id": str(uuid.uuid4()), **fields})


def look_again_in(seconds: float) -> None:
    """Let the next one look after this time whether the full site still is; the refusal was a moment ago."""
    for full in admission._full_sites.values():
        full.refused_at = time.monotonic()
        full.look_at = time.monotonic() + seconds


async def send(alice_tab: Tab, **fields: Any) -> dict[str, Any]:
    """Send a message; the frame that says what became of it."""
    await alice_tab.send(**{"type": "send", "client_id": str(uuid.uuid4()), "text": "Hello", **fields})
    return await alice_tab.until("accepted", "error")


async def test_one_message_too_many_is_refused_with_a_time(alice_session: str) -> None:
    async with tab(alice_session) as alice_tab:
        for _ in range(OPEN_PER_PERSON):
            assert (await send(alice_tab))["type"] == "accepted"
        client_id = str(uuid.uuid4())
        refused = await send(alice_tab, client_id=client_id)
    assert (refused["code"], refused["client_id"]) == ("too_many_answers", client_id)
    assert refused["retry_after"] >= 1
    assert "7 of your answers" in refused["text"]
    assert "Try again in about" in refused["text"]
    assert await Message.objects.filter(role="user").acount() == OPEN_PER_PERSON
    assert await Conversation.objects.acount() == OPEN_PER_PERSON


async def test_a_message_that_is_sent_twice_counts_once(alice_session: str) -> None:
    async with tab(alice_session) as alice_tab:
        sent = [str(uuid.uuid4()) for _ in range(OPEN_PER_PERSON)]
        first = [await send(alice_tab, client_id=client_id) for client_id in sent]
        again = [await send(alice_tab, client_id=client_id) for client_id in sent]
    assert [frame["reply"] for frame in again] == [frame["reply"] for frame in first]


async def test_stopping_an_answer_makes_room(alice_session: str) -> None:
    async with tab(alice_session) as alice_tab:
        replies = [(await send(alice_tab))["reply"] for _ in range(OPEN_PER_PERSON)]
        assert (await send(alice_tab))["type"] == "error"
        await alice_tab.send(type="stop", reply=replies[-1])
        await alice_tab.send(type="ping")
        await alice_tab.until("pong")
        assert (await send(alice_tab))["type"] == "accepted"


async def test_answers_that_are_there_do_not_count(alice: Any, alice_session: str) -> None:
    for _ in range(OPEN_PER_PERSON):
        await make_async(rows.turn)(alice)
    async with tab(alice_session) as alice_tab:
        assert (await send(alice_tab))["type"] == "accepted"


async def test_one_persons_limit_is_not_anothers(alice: Any, bob: Any, alice_session: str) -> None:
    for _ in range(OPEN_PER_PERSON):
        await make_async(rows.undecided)(bob, person=bob)
    async with tab(alice_session) as alice_tab:
        assert (await send(alice_tab))["type"] == "accepted"


async def test_having_it_answered_again_is_subject_to_the_limits(alice: Any, alice_session: str) -> None:
    answered = await make_async(rows.turn)(alice)
    async with tab(alice_session) as alice_tab:
        for _ in range(OPEN_PER_PERSON):
            await send(alice_tab)
        await alice_tab.send(type="again", reply=str(answered.pk))
        refused = await alice_tab.until("error", "accepted")
    assert (refused["code"], refused["reply"]) == ("too_many_answers", str(answered.pk))
    assert refused["retry_after"] >= 1


async def test_when_enough_wait_in_all_everybody_is_asked_to_wait(bob: Any, alice_session: str, settings: Any) -> None:
    settings.WAITING_IN_ALL = 3
    for _ in range(2):
        await make_async(rows.undecided)(bob)
    await make_async(rows.turn)(bob, status="queued", finished_at=None)
    await make_async(rows.turn)(bob, status="running", finished_at=None)
    async with tab(alice_session) as alice_tab:
        refused = await send(alice_tab)
        assert (refused["code"], refused["retry_after"] >= 1) == ("busy", True)
        settings.WAITING_IN_ALL = 4
        assert (await send(alice_tab))["type"] == "accepted"


async def test_when_a_new_message_would_wait_for_too_long_everybody_is_asked_to_wait(
    alice_session: str, settings: Any
) -> None:
    settings.LONGEST_WAIT_ANSWERS = 100
    foreseen = {"wait_seconds": 90.0, "service_seconds": 9.0}
    await make_async(client().set)(line.EXPECTED, orjson.dumps(foreseen))
    async with tab(alice_session) as alice_tab:
        refused = await send(alice_tab)
        assert (refused["code"], refused["retry_after"]) == ("busy", 30)
        assert "Try again in about 30 seconds." in refused["text"]
        settings.LONGEST_WAIT_SECONDS = 90
        assert (await send(alice_tab))["type"] == "accepted"


@pytest.mark.parametrize(("service_seconds", "longest"), [(20.0, 15.0), (0.5, 5.0), (90.0, 60.0)])
async def test_nobody_is_let_in_who_would_wait_for_much_longer_than_an_answer_takes(
    alice: Any, bob: Any, alice_session: str, service_seconds: float, longest: float
) -> None:
    """Those who have come since the line was looked at count, those who are held do not."""
    foreseen = {"wait_seconds": longest - 1.5, "service_seconds": service_seconds, "waiting": 2, "more_seconds": 1.0}
    await make_async(client().set)(line.EXPECTED, orjson.dumps(foreseen))
    for held in (True, True, False, False, False):
        turn = await make_async(rows.undecided)(bob)
        if held:
            await Turn.objects.filter(pk=turn.pk).aupdate(released_at=None)
    async with tab(alice_session) as alice_tab:
        assert (await send(alice_tab))["type"] == "accepted"
        assert (await send(alice_tab))["code"] == "busy"
        group = await Group.objects.acreate(name="patient")
        await GroupLimits.objects.acreate(group=group, wait_seconds=120)
        await alice.groups.aadd(group)
        assert (await send(alice_tab))["type"] == "accepted", "a group with a longest wait of its own"


def test_one_looks_again_for_all_and_they_come_in_when_there_is_room(alice: Any, settings: Any) -> None:
    settings.WAITING_IN_ALL = 1
    browser = browser_of(alice)
    assert ask(browser).status_code == 302
    assert [ask(browser).status_code for _ in range(3)] == [503] * 3
    Turn.objects.update(status="done", finished_at=timezone.now())
    look_again_in(60)
    assert ask(browser).status_code == 503, "as it was a moment ago"
    look_again_in(0)
    statuses = in_parallel(ask, [browser] * 4)
    assert statuses.count(302) == 1
    assert Turn.objects.count() == 2


async def is_open(one: Tab) -> None:
    """Return when the tab has been let in, and is listened to."""
    await one.send(type="ping")
    await one.until("pong")


async def until_waiting(count: int) -> None:
    """Return when so many errands of sockets wait for a thread."""
    async with asyncio.timeout(20):
        while threads._THREADS._work_queue.qsize() != count:
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def all_threads_at_work() -> AsyncIterator[None]:
    """Whatever a socket asks the database for has to wait until the block ends."""
    saved = threading.Event()
    saving = [asyncio.ensure_future(in_thread(saved.wait)()) for _ in range(threads._COUNT)]
    await asyncio.sleep(0)  # they are handed over
    try:
        await until_waiting(0)
        yield
    finally:
        saved.set()
        await asyncio.gather(*saving)


@pytest.mark.parametrize(
    "event",
    [
        {"type": "edit", "text": "In other words", "client_id": str(uuid.uuid4())},
        {"type": "again"},
        {"type": "continue"},
        {"type": "compare", "route": "summarise"},
        {"type": "correct", "route": "summarise"},
    ],
)
async def test_a_refusal_does_not_wait_for_those_who_are_let_in(
    alice: Any, alice_session: str, settings: Any, event: dict[str, str]
) -> None:
    settings.WAITING_IN_ALL = 1
    answered = await make_async(rows.turn)(alice)
    async with tab(alice_session) as alice_tab:
        await send(alice_tab)
        assert (await send(alice_tab))["code"] == "busy"
        look_again_in(60)
        async with all_threads_at_work():
            assert (await send(alice_tab))["code"] == "busy"
            await alice_tab.send(**{**event, "reply": str(answered.pk), "message": str(answered.message_id)})
            assert (await alice_tab.until("error"))["code"] == "busy"


async def test_who_waits_while_the_site_becomes_full_need_not_look_for_themselves(
    bob: Any, alice_session: str, settings: Any
) -> None:
    settings.WAITING_IN_ALL = 1
    async with tab(alice_session) as alice_tab:
        await is_open(alice_tab)
        async with all_threads_at_work():
            await alice_tab.send(type="send", client_id=str(uuid.uuid4()), text="Hello")
            await until_waiting(1)
            bobs = [await make_async(ask)(await make_async(browser_of)(bob)) for _ in range(2)]
            assert [answer.status_code for answer in bobs] == [302, 503]
            await Turn.objects.all().adelete()
            look_again_in(60)
        assert (await alice_tab.until("accepted", "error"))["code"] == "busy"


async def test_nobody_is_refused_because_of_messages_that_will_be_refused_themselves(
    bob: Any, alice_session: str, settings: Any
) -> None:
    settings.WAITING_IN_ALL = OPEN_PER_PERSON + 2
    bob_session = await make_async(session_of)(bob)
    async with contextlib.AsyncExitStack() as stack:
        alice_tab = await stack.enter_async_context(tab(alice_session))
        bobs = [await stack.enter_async_context(tab(bob_session)) for _ in range(OPEN_PER_PERSON + 3)]
        for one in (alice_tab, *bobs):
            await is_open(one)
        await send(alice_tab)
        async with all_threads_at_work():
            for bob_tab in bobs:
                await bob_tab.send(type="send", client_id=str(uuid.uuid4()), text="Hello")
            await until_waiting(len(bobs))
            sending = asyncio.ensure_future(send(alice_tab))
        codes = [(await bob_tab.until("accepted", "error")).get("code") for bob_tab in bobs]
        assert (await sending)["type"] == "accepted"
    assert sorted(filter(None, codes)) == ["too_many_answers"] * 3


async def test_a_message_that_was_accepted_is_known_while_the_site_is_full(alice_session: str, settings: Any) -> None:
    settings.WAITING_IN_ALL = 1
    async with tab(alice_session) as alice_tab:
        client_id = str(uuid.uuid4())
        accepted = await send(alice_tab, client_id=client_id)
        assert [(await send(alice_tab))["code"] for _ in range(2)] == ["busy", "busy"]
        assert (await send(alice_tab, client_id=client_id))["reply"] == accepted["reply"]


async def test_ones_own_limit_comes_with_the_time_that_an_answer_takes(alice_session: str) -> None:
    foreseen = {"wait_seconds": 0.0, "service_seconds": 80.0}
    await make_async(client().set)(line.EXPECTED, orjson.dumps(foreseen))
    async with tab(alice_session) as alice_tab:
        for _ in range(OPEN_PER_PERSON):
            await send(alice_tab)
        assert (await send(alice_tab))["retry_after"] == 40


def test_a_form_beyond_ones_own_limit_gets_429_and_keeps_the_draft(alice: Any) -> None:
    browser = browser_of(alice)
    for _ in range(OPEN_PER_PERSON):
        assert ask(browser).status_code == 302
    refused = ask(browser, text="My precious draft")
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) >= 1
    content = refused.content.decode()
    assert "\nMy precious draft</textarea>" in content
    assert "of your answers are still on their way" in content


def test_a_form_gets_503_when_the_site_is_full(alice: Any, bob: Any, settings: Any) -> None:
    settings.WAITING_IN_ALL = 1
    assert ask(browser_of(bob)).status_code == 302
    refused = ask(browser_of(alice), text="My precious draft")
    assert refused.status_code == 503
    assert int(refused["Retry-After"]) >= 1
    assert "\nMy precious draft</textarea>" in refused.content.decode()


@pytest.mark.parametrize("view", ["reply-again", "reply-correct"])
def test_forms_for_another_answer_are_subject_to_the_limits(alice: Any, view: str) -> None:
    browser, answered = browser_of(alice), rows.turn(alice)
    for _ in range(OPEN_PER_PERSON):
        ask(browser)
    refused = browser.post(reverse(view, args=[answered.pk]), {"route": "summarise"})
    assert (refused.status_code, int(refused["Retry-After"]) >= 1) == (429, True)


def in_parallel(post: Callable[[Client], Any], browsers: list[Client]) -> list[int]:
    """The statuses of what is posted at the same moment."""

    def posted(browser: Client) -> int:
        try:
            return int(post(browser).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(browsers)) as pool:
        return sorted(pool.map(posted, browsers))


def test_parallel_messages_of_one_person_are_accepted_up_to_the_limit(alice: Any) -> None:
    statuses = in_parallel(ask, [browser_of(alice) for _ in range(20)])
    assert statuses == [302] * OPEN_PER_PERSON + [429] * (20 - OPEN_PER_PERSON)
    assert Turn.objects.count() == OPEN_PER_PERSON


def test_parallel_messages_of_many_are_accepted_up_to_the_limit_in_all(settings: Any) -> None:
    settings.WAITING_IN_ALL = 12
    people = [get_user_model().objects.create_user(f"person{number}") for number in range(20)]
    statuses = in_parallel(ask, [browser_of(person) for person in people])
    assert statuses == [302] * 12 + [503] * 8
    assert Turn.objects.count() == 12


def test_parallel_doubles_of_one_message_take_one_place(alice: Any) -> None:
    client_id = str(uuid.uuid4())
    statuses = in_parallel(lambda browser: ask(browser, client_id=client_id), [browser_of(alice) for _ in range(10)])
    assert statuses == [302] * 10
    assert Turn.objects.count() == 1
