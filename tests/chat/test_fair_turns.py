"""People take turns: however much one of them asks for, another one's first message is next."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from chatsite.chat.models import Turn
from tests import processes
from tests.backends.fake_provider import FakeProvider
from tests.chat.sockets import ask as watch
from tests.chat.sockets import make_async, tab
from tests.conftest import Connect
from tests.processes import wait_until
from tests.sessions import browser_of, session_of
from workers.models import Completion

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes, pytest.mark.xdist_group("fair turns")]

NEXT = "Next in line"


def ask(client: Client, count: int = 1, route: str = "generate") -> None:
    for _ in range(count):
        form = {"text": "Say whether this is praise or complaint: Lovely!", "route": route}
        assert client.post("/", {**form, "client_id": str(uuid.uuid4())}).status_code == 302


def started(**which: Any) -> int:
    return Completion.objects.filter(**which).exclude(started_at=None).count()


def decided(count: int) -> Callable[[], bool]:
    return lambda: Completion.objects.count() == count


def all_done() -> bool:
    return not Turn.all_open().exists() and not Completion.all_open().exists()


@pytest.fixture(scope="module")
def _two_slots(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock(), ExitStack() as stack:
        stack.enter_context(processes.reaper())
        stack.enter_context(processes.worker("route", "embedded"))
        stack.enter_context(processes.worker("remote", concurrency=2))
        yield


@pytest.fixture(autouse=True)
def _gate(_two_slots: None, transactional_db: None, connect: Connect) -> None:
    connect("gate-tokens1")


def test_fifty_messages_of_one_do_not_delay_the_first_of_another(
    alice: Any, bob: Any, provider: FakeProvider, settings: Any
) -> None:
    settings.WAITING_PER_PERSON = 48
    ask(browser_of(alice), 50)
    wait_until(decided(50), what="the routes of Alice's messages")
    provider.wait_for_requests(2)
    ask(browser_of(bob))
    wait_until(decided(51), what="the route of Bob's message")
    assert started(person=bob) == 0, "both slots are taken"
    provider.release()
    wait_until(all_done, 60, "all answers")
    assert set(Completion.objects.values_list("status", flat=True)) == {"done"}
    order = list(Completion.objects.order_by("started_at").values_list("person", flat=True))
    assert order.index(bob.pk) <= 3, "two were running; at most one more of Alice's came first"


def test_cheap_work_is_not_behind_expensive_work(alice: Any, provider: FakeProvider) -> None:
    browser = browser_of(alice)
    ask(browser, 5)
    wait_until(decided(5), what="the routes of the first messages")
    provider.wait_for_requests(2)
    ask(browser, route="classify")
    wait_until(lambda: Completion.objects.filter(role="classify", status="done").exists(), what="the label")
    assert started(role="generate") == 2
    provider.release()
    wait_until(all_done, 60, "all answers")


def test_what_is_stopped_while_it_waits_is_never_run(alice: Any, provider: FakeProvider) -> None:
    browser = browser_of(alice)
    ask(browser, 7)
    wait_until(decided(7), what="the routes")
    provider.wait_for_requests(2)
    waiting = list(Completion.objects.filter(status="queued").order_by("queued_at"))
    assert len(waiting) == 5
    for completion in waiting[:4]:
        browser.post(reverse("reply-stop", args=[completion.reply_id]))
    provider.release()
    wait_until(all_done, 60, "the other answers")
    assert len(provider.chats) == 3
    assert Completion.objects.filter(status="cancelled").count() == 4


async def test_whoever_waits_is_told_where_they_stand(alice: Any, bob: Any, provider: FakeProvider) -> None:
    await make_async(lambda: ask(browser_of(alice), 2))()
    await make_async(provider.wait_for_requests)(2)
    session = await make_async(session_of)(bob)
    async with tab(session) as bob_tab:
        turn = await watch(bob_tab, "Tell me a story", route="generate")
        told = await bob_tab.until("position", reply=turn["reply"], seconds=60)
        assert told["text"].startswith(NEXT)
        page = await make_async(lambda: browser_of(bob).get(turn["url"]))()
        assert NEXT in page.content.decode()
        provider.release()
        finished = await bob_tab.until("finished", reply=turn["reply"], seconds=60)
    assert finished["status"] == "done"
    assert NEXT not in finished["html"]
