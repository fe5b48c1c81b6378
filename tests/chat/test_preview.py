"""Where a message would go, told while it is being typed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from django.contrib.auth.models import Group, User

from chatsite.chat.feed import FEED
from chatsite.chat.models import Conversation, Turn
from chatsite.chat.previewing import preview_route
from router.models import Decision, Route
from router.revisions import publish
from tests.chat.sockets import tab
from tests.pages import rows
from tests.sessions import session_of
from workers.connections import client

pytestmark = pytest.mark.django_db(transaction=True)

TLDR = "tl;dr: The harbour was closed on Monday after a storm. Repairs will take a week."
Told = Callable[..., str | None]


@pytest.fixture
def told(defaults: None) -> Told:
    """What a worker tells a person's tabs of a text; None if it says nothing."""

    def tell(user: User, text: str, conversation: Any = "") -> str | None:
        client().delete(FEED)
        preview_route(user.pk, str(conversation), text, "x")
        entries = client().xrange(FEED)
        assert all(fields[b"user"] == str(user.pk).encode() for _, fields in entries)
        return str(orjson.loads(entries[-1][1][b"frame"])["title"]) if entries else None

    return tell


@pytest.fixture
def session(alice: User) -> str:
    return session_of(alice)


@pytest.mark.processes
async def test_a_tab_hears_where_its_message_would_go(workers: Any, session: str) -> None:
    async with tab(session) as alice_tab:
        await alice_tab.send(type="preview", tag="first", text=TLDR)
        assert await alice_tab.until("preview") == {"type": "preview", "tag": "first", "title": "Summary"}
    assert not await Turn.objects.aexists()
    assert not await Decision.objects.aexists()


async def test_what_is_empty_too_long_or_too_frequent_is_not_asked(
    defaults: None, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("chatsite.chat.previewing.ask", lambda user, **facts: asked.append(facts["tag"]))
    async with tab(session) as alice_tab:
        await alice_tab.send(type="preview", tag="empty", text="  ")
        await alice_tab.send(type="preview", tag="long", text="x" * 20_001)
        await alice_tab.send(type="preview", tag="padded", text="Hello", conversation="x" * 37)
        await alice_tab.send(type="preview", tag="padded", text="Hello", files=["x" * 37])
        await alice_tab.send(type="preview", tag="good", text="Hello")
        await alice_tab.send(type="preview", tag="soon", text="Hello you")
        await alice_tab.send(type="ping")
        await alice_tab.until("pong")
    assert asked == ["good"]


def test_it_is_what_the_message_gets(told: Told, alice: User) -> None:
    assert told(alice, TLDR) == "Summary"
    assert told(alice, "Write a poem about rain") == "Chat"
    assert told(alice, "/classify spam or not spam: you have won") == "Classification"
    assert told(alice, "/nonsense hello") == ""


def test_the_answer_before_it_is_read(told: Told, alice: User) -> None:
    turn = rows.turn(alice, answer="The committee met on Monday and discussed the roof at length. " * 5)
    assert told(alice, "shorter please", turn.conversation_id) == "Summary"


def test_other_peoples_conversations_are_not_read(told: Told, alice: User, bob: User) -> None:
    conversation = Conversation.objects.create(user=bob, title="Bob's")
    assert told(alice, TLDR, conversation.pk) is None


def test_a_route_that_the_person_may_not_use_is_not_named(told: Told, alice: User, bob: User) -> None:
    group = Group.objects.create(name="Editors")
    Route.objects.get(name="summarise").groups.add(group)
    publish(None)
    bob.groups.add(group)
    assert told(bob, TLDR) == "Summary"
    assert told(alice, TLDR) == "Chat"
