"""Drafts on the server: one for each conversation, whoever wrote last, gone when it is sent."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import Client

from chatsite.chat import turns
from chatsite.chat.models import Conversation
from chatsite.writing import drafts
from chatsite.writing.models import Draft
from tests.chat.sockets import tab
from tests.pages import rows
from tests.sessions import session_of


@pytest.fixture
def conversation(alice: Any) -> Conversation:
    return rows.turn(alice).conversation


def keep(client: Client, conversation: Any, text: str, *pasted: str, tab: str = "one") -> Any:
    fields = {"conversation": (conversation and conversation.pk) or "", "text": text, "tab": tab}
    return client.post("/draft/", {**fields, "pasted": json.dumps(pasted)})


def test_a_draft_is_on_the_page_of_its_conversation_alone(client: Client, alice: Any, conversation: Any) -> None:
    client.force_login(alice)
    assert keep(client, conversation, "half a <b>thought</b>", "a long text").json() == {"revision": 1}
    assert keep(client, None, "something new").json() == {"revision": 1}
    page = client.get(f"/c/{conversation.pk}/").content.decode()
    assert "half a &lt;b&gt;thought&lt;/b&gt;</textarea>" in page
    assert 'data-pasted="[&quot;a long text&quot;]"' in page
    assert "something new</textarea>" in client.get("/").content.decode()
    stored = client.get("/draft/", {"conversation": conversation.pk}).json()
    assert stored == {"text": "half a <b>thought</b>", "pasted": ["a long text"], "revision": 1, "files": ""}


def test_the_last_writer_wins_and_the_same_again_is_nothing_new(client: Client, alice: Any, conversation: Any) -> None:
    client.force_login(alice)
    assert [keep(client, conversation, text).json()["revision"] for text in ("one", "two", "two", "")] == [1, 2, 2, 3]
    assert Draft.objects.get().text == ""


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"text": "x" * (drafts.MAX_BYTES + 1)}, 413),
        ({"text": "x", "pasted": '["' + "y" * drafts.MAX_BYTES + '"]'}, 413),
        ({"pasted": "{}"}, 400),
        ({"pasted": "[1]"}, 400),
        ({"pasted": "[" * 200_000}, 400),
    ],
)
def test_what_is_too_long_or_no_draft_is_refused(client: Client, alice: Any, fields: Any, status: int) -> None:
    client.force_login(alice)
    assert client.post("/draft/", fields).status_code == status
    assert not Draft.objects.exists()


def test_what_no_database_holds_is_left_out(client: Client, alice: Any) -> None:
    client.force_login(alice)
    client.post("/draft/", {"text": "a\0b\r\nc", "pasted": '["\\ud800d"]'})
    assert (Draft.objects.get().text, Draft.objects.get().pasted) == ("ab\nc", ["d"])


def test_drafts_of_others_do_not_exist(client: Client, bob: Any, conversation: Any) -> None:
    client.force_login(bob)
    assert keep(client, conversation, "mine").status_code == 404
    assert client.get("/draft/", {"conversation": conversation.pk}).status_code == 404
    assert client.get("/sent/", {"conversation": conversation.pk}).status_code == 404
    assert client.get("/draft/", {"conversation": "nonsense"}).status_code == 404
    client.logout()
    assert {client.get(path).status_code for path in ("/draft/", "/sent/")} == {302}
    assert Client(enforce_csrf_checks=True).post("/draft/", {"text": "x"}).status_code == 403


def test_a_draft_is_cleared_when_its_message_is_accepted_and_goes_with_its_conversation(
    client: Client, alice: Any, conversation: Any, defaults: None
) -> None:
    client.force_login(alice)
    keep(client, conversation, "Hello")
    keep(client, None, "for another one")
    turns.submit(alice, text="Another one, which has waited", conversation_id=conversation.pk)
    assert client.get("/draft/", {"conversation": conversation.pk}).json()["text"] == "Hello"
    turns.submit(alice, text="Hello there", conversation_id=conversation.pk)
    cleared = client.get("/draft/", {"conversation": conversation.pk}).json()
    assert cleared == {"text": "", "pasted": [], "revision": 2, "files": ""}
    assert client.get("/draft/").json()["text"] == "for another one"
    conversation.delete()
    assert Draft.objects.get().conversation is None


@pytest.mark.django_db(transaction=True)
async def test_other_tabs_are_told_of_a_draft(alice: Any, defaults: None, async_client: Any) -> None:
    session = await sync_to_async(session_of)(alice)
    await async_client.aforce_login(alice)
    async with tab(session) as other:
        await other.send(type="ping")  # from now on it hears of everything
        await other.until("pong")
        await async_client.post("/draft/", {"text": "half a thought", "tab": "phone"})
        frame = await other.until("draft")
        assert frame == {"type": "draft", "conversation": "", "revision": 1, "tab": "phone"}
        await other.send(type="send", client_id=str(uuid.uuid4()), text="half a thought")
        assert (await other.until("draft"))["revision"] == 2


def test_what_was_sent_comes_newest_first_and_this_conversation_first(client: Client, alice: Any, bob: Any) -> None:
    first = rows.turn(alice, "zero").conversation
    second = rows.turn(alice, "second").conversation
    rows.turn(alice, "third", conversation=second)
    rows.turn(alice, "first", conversation=second)
    rows.turn(alice, "x" * 5000)
    rows.turn(bob, "not hers")
    client.force_login(alice)
    assert client.get("/sent/").json()["texts"] == ["first", "third", "second", "zero"]
    assert client.get("/sent/", {"conversation": str(second.pk)}).json()["texts"] == [
        "first",
        "third",
        "second",
        "zero",
    ]
    assert client.get("/sent/", {"conversation": str(first.pk)}).json()["texts"] == ["zero", "first", "third", "second"]
