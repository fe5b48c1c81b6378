"""What a tab can say over its socket, and what it hears."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import orjson
import pytest
import redis
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import OperationalError
from django.utils import timezone

from chatsite.asgi import application
from chatsite.chat import consumers, conversations, feed, frames, news, turns
from chatsite.chat.hub import hub
from chatsite.chat.models import Conversation, Message, Turn
from tests.chat.sockets import headers, make_async, tab
from tests.pages import rows
from tests.sessions import session_of
from workers import isolation
from workers.connections import client

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def alice_session(alice: Any) -> str:
    return session_of(alice)


@pytest.fixture
def bob_session(bob: Any) -> str:
    return session_of(bob)


async def test_a_message_is_accepted_and_shown(defaults: None, alice_session: str) -> None:
    client_id = str(uuid.uuid4())
    async with tab(alice_session) as alice_tab:
        await alice_tab.send(type="send", client_id=client_id, text="Hello there")
        accepted = await alice_tab.until("accepted")
        turn = await alice_tab.until("turn")
    assert accepted["client_id"] == client_id
    assert turn["reply"] == accepted["reply"]
    assert "Hello there" in turn["html"]
    assert await Turn.objects.filter(pk=turn["reply"], status="queued").aexists()


async def test_sending_twice_sends_once(defaults: None, alice_session: str) -> None:
    frame = {"type": "send", "client_id": str(uuid.uuid4()), "text": "Only once"}
    async with tab(alice_session) as alice_tab:
        await alice_tab.send(**frame)
        first = await alice_tab.until("accepted")
        await alice_tab.send(**frame)
        second = await alice_tab.until("accepted")
    assert first["reply"] == second["reply"]
    assert await Message.objects.filter(role="user").acount() == 1


async def test_what_is_sent_again_late_is_shown_where_the_conversation_has_gone_on(
    defaults: None, alice_session: str
) -> None:
    frame = {"type": "send", "client_id": str(uuid.uuid4()), "text": "Only once"}
    async with tab(alice_session) as laptop, tab(alice_session) as phone:
        await laptop.send(**frame)  # and it falls asleep
        first = (await phone.until("turn"))["reply"]
        await Turn.objects.aupdate(status="cancelled", finished_at=timezone.now())
        await phone.send(type="again", reply=first)
        await phone.until("accepted")
        await laptop.send(**frame)
        await phone.until("branch")
        assert [told["reply"] for told in phone.frames if told["type"] == "turn"].count(first) == 1
        await laptop.until("branch")


async def test_what_happened_to_a_conversation_before_a_message_is_saved_stays_in_all_tabs(
    alice: Any, alice_session: str, monkeypatch: Any
) -> None:
    conversation = (await make_async(rows.turn)(alice)).conversation
    look = turns.expected

    def meanwhile() -> Any:
        Conversation.objects.update(title="Another title", pinned_at=timezone.now())
        return look()

    monkeypatch.setattr(turns, "expected", meanwhile)
    async with tab(alice_session) as alice_tab:
        await alice_tab.send(type="send", text="And then?", conversation=str(conversation.pk))
        turn = await alice_tab.until("turn")
    assert turn["title"] == "Another title"
    assert ("Another title" in turn["item"], "data-pinned" in turn["item"]) == (True, True)


async def test_nothing_is_said_in_a_conversation_that_is_deleted_meanwhile(
    alice: Any, alice_session: str, monkeypatch: Any
) -> None:
    conversation = (await make_async(rows.turn)(alice)).conversation
    look = turns.expected

    def meanwhile() -> Any:
        conversations.delete(alice, conversation_id=conversation.pk)
        return look()

    monkeypatch.setattr(turns, "expected", meanwhile)
    client_id = str(uuid.uuid4())
    async with tab(alice_session) as alice_tab:
        await alice_tab.send(type="send", text="And then?", conversation=str(conversation.pk), client_id=client_id)
        refused = await alice_tab.until("accepted", "error")
    assert (refused["type"], refused.get("code"), refused["client_id"]) == ("error", "not_found", client_id)
    assert await conversation.messages.acount() == 2


async def test_answering_again_twice_answers_once(alice: Any, alice_session: str) -> None:
    turn = await make_async(rows.turn)(alice, answer="Done")
    async with tab(alice_session) as alice_tab:
        for _ in range(2):
            await alice_tab.send(type="again", reply=str(turn.pk))
        await alice_tab.until("accepted")
        assert (await alice_tab.until("error"))["code"] == "still_answering"
    assert await Turn.objects.acount() == 2


async def test_the_rest_of_an_answer_is_asked_for_once_and_by_its_route(
    alice: Any, alice_session: str, defaults: None
) -> None:
    turn = await make_async(rows.turn)(alice, answer="Once upon a", was_cut_short=True)
    async with tab(alice_session) as alice_tab:
        for _ in range(2):
            await alice_tab.send(type="continue", reply=str(turn.pk))
        first, second = [await alice_tab.until("accepted") for _ in range(2)]
        assert first["reply"] == second["reply"]
        await alice_tab.send(type="continue", reply=first["reply"])  # of this one, nothing is missing
        assert (await alice_tab.until("error"))["code"] == "not_found"
    more = await Turn.objects.select_related("message").aget(pk=first["reply"])
    assert (more.message.text, more.wanted_route) == ("Continue where you stopped.", "generate")
    assert more.message.parent_id == turn.pk
    async with tab(alice_session) as alice_tab:
        await alice_tab.send(type="edit", message=str(more.message_id), text="In verse", client_id=first["reply"])
        await alice_tab.until("accepted")
        await alice_tab.send(type="continue", reply=str(turn.pk))
        await alice_tab.until("accepted")
    assert (await Conversation.objects.aget()).leaf_id == more.pk


async def test_what_waits_is_taken_only_after_the_answer_before_it(alice: Any, alice_session: str) -> None:
    first = await make_async(rows.turn)(alice, status="running")
    conversation = str(first.conversation_id)
    frame = {"type": "send", "conversation": conversation, "waits": True, "client_id": str(uuid.uuid4())}
    async with tab(alice_session) as alice_tab:
        await alice_tab.send(**frame, text="Second")
        refused = await alice_tab.until("error")
        assert (refused["code"], refused["client_id"]) == ("still_answering", frame["client_id"])
        # That the answer on another branch is being written is nobody's business here.
        await make_async(rows.turn)(alice, conversation=first.conversation, status="done")
        await alice_tab.send(**frame, text="Second")
        accepted = await alice_tab.until("accepted")
        await alice_tab.send(**frame, text="Second")
        assert (await alice_tab.until("accepted"))["reply"] == accepted["reply"]
        await alice_tab.send(**frame | {"client_id": str(uuid.uuid4())}, text="Third")
        assert (await alice_tab.until("error"))["code"] == "still_answering"
        await alice_tab.send(**frame | {"client_id": str(uuid.uuid4()), "waits": False}, text="At once")
        await alice_tab.until("accepted")


async def test_the_other_tab_of_the_same_person_hears_of_it(defaults: None, alice_session: str) -> None:
    async with tab(alice_session) as phone, tab(alice_session) as desk:
        await desk.send(type="ping")
        await desk.until("pong")
        await phone.send(type="send", client_id=str(uuid.uuid4()), text="From the phone")
        mine = await phone.until("turn")
        theirs = await desk.until("turn")
        assert (mine["reply"], mine["html"]) == (theirs["reply"], theirs["html"])
        await phone.send(type="send", client_id=str(uuid.uuid4()), text="long " * news.LONGEST)
        reply = (await phone.until("accepted"))["reply"]
        mine = await phone.until("turn", reply=reply)
        theirs = await desk.until("turn")
        assert mine["html"].count("long ") > news.LONGEST - 10
        assert theirs == mine | {"html": ""}  # a tab that shows the conversation fetches it


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"type": "send", "text": ""}, "empty"),
        ({"type": "send", "text": " \n\t "}, "empty"),
        ({"type": "send", "text": "\x00\x07"}, "empty"),
        ({"type": "send", "text": "x", "client_id": "not a uuid"}, "bad_frame"),
        ({"type": "send", "text": ["x"]}, "bad_frame"),
        ({"type": "send", "text": "x", "route": "no-such-route"}, "unknown_route"),
        ({"type": "send", "text": "/nonsense do it"}, "unknown_route"),
        ({"type": "send", "text": "x", "conversation": "nonsense"}, "not_found"),
        ({"type": "attach", "reply": str(uuid.uuid4())}, "not_found"),
        ({"type": "attach", "reply": None}, "not_found"),
        ({"type": "detach", "reply": str(uuid.uuid4())}, "not_found"),
        ({"type": "stop", "reply": 7}, "not_found"),
        ({"type": "dance"}, "unknown_event"),
        ({}, "unknown_event"),
    ],
)
async def test_what_cannot_be_done_is_refused_in_words(
    defaults: None, alice_session: str, frame: dict[str, Any], code: str
) -> None:
    async with tab(alice_session) as alice_tab:
        await alice_tab.send(**frame)
        error = await alice_tab.until("error")
        await alice_tab.send(type="ping")
        await alice_tab.until("pong")
    assert error["code"] == code
    assert error["text"]
    assert not await Message.objects.aexists()


async def test_a_paste_over_the_limit_is_refused_before_anything_is_saved(defaults: None, alice_session: str) -> None:
    async with tab(alice_session) as alice_tab:
        await alice_tab.send(type="send", client_id=str(uuid.uuid4()), text="x" * 10_000_000)
        error = await alice_tab.until("error")
    assert error["code"] == "too_long"
    assert error["client_id"]
    assert not await Conversation.objects.aexists()


@pytest.mark.parametrize(
    "raw",
    [
        *(" ", "{", "[]", "7", "null", "[" * 200_000, '{"type": NaN}', "9" * 200_000),
        '{"type":"ping","x":[' + "[]," * frames.MOST_BRACKETS + "0]}",
    ],
)
async def test_what_is_no_json_object_is_refused(alice_session: str, raw: str) -> None:
    async with tab(alice_session) as alice_tab:
        await alice_tab.socket.send_to(text_data=raw)
        assert (await alice_tab.until("error"))["code"] == "bad_frame"


async def test_binary_data_is_refused(alice_session: str) -> None:
    async with tab(alice_session) as alice_tab:
        await alice_tab.socket.send_to(bytes_data=b"\xff\xfe{}")
        assert (await alice_tab.until("error"))["code"] == "bad_frame"


async def test_hidden_and_control_characters_are_left_out(defaults: None, alice_session: str) -> None:
    async with tab(alice_session) as alice_tab:
        await alice_tab.send(type="send", client_id=str(uuid.uuid4()), text="a\x00b\U000e0041c\x7fd\r\ne")
        await alice_tab.until("accepted")
    assert (await Message.objects.aget(role="user")).text == "abcd\ne"


async def test_another_persons_things_do_not_exist(defaults: None, alice_session: str, bob_session: str) -> None:
    async with tab(alice_session) as alice_tab, tab(bob_session) as bob_tab:
        await alice_tab.send(type="send", client_id=str(uuid.uuid4()), text="Mine")
        turn = await alice_tab.until("turn")
        message = (await Message.objects.aget(role="user")).pk
        for frame in (
            {"type": "send", "text": "Into yours", "conversation": turn["conversation"]},
            {"type": "attach", "reply": turn["reply"]},
            {"type": "detach", "reply": turn["reply"]},
            {"type": "attach", "reply": turn["reply"], "after": "1-1"},
            {"type": "stop", "reply": turn["reply"]},
            {"type": "again", "reply": turn["reply"]},
            {"type": "continue", "reply": turn["reply"]},
            {"type": "compare", "reply": turn["reply"], "route": "summarise"},
            {"type": "rate", "reply": turn["reply"], "rating": "up"},
            {"type": "choose", "message": turn["reply"]},
            {"type": "seen", "conversation": turn["conversation"]},
            {"type": "edit", "message": str(message), "text": "Changed"},
        ):
            await bob_tab.send(**frame)
            assert (await bob_tab.until("error", "turn", "snapshot", "accepted"))["code"] == "not_found", frame
    assert await Message.objects.filter(role="user").acount() == 1
    assert await Turn.objects.filter(cancel_requested_at=None).acount() == 1


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "https://127.0.0.1", "http://127.0.0.1:1", "http://127.0.0.1.evil.example"],
)
async def test_a_foreign_origin_gets_no_socket(alice_session: str, origin: str) -> None:
    socket = WebsocketCommunicator(application, "/ws/", headers(alice_session, origin))
    connected, _ = await socket.connect(timeout=30)
    assert not connected


async def test_no_origin_gets_no_socket(alice_session: str) -> None:
    socket = WebsocketCommunicator(application, "/ws/", headers(alice_session)[:1])
    connected, _ = await socket.connect(timeout=30)
    assert not connected


async def test_a_socket_without_a_session_is_closed() -> None:
    socket = WebsocketCommunicator(application, "/ws/", headers("nobody"))
    await socket.connect(timeout=30)
    assert (await socket.receive_output(timeout=30))["code"] == 4401


async def test_one_person_does_not_take_all_sockets(alice_session: str, bob_session: str, settings: Any) -> None:
    settings.TABS_PER_PERSON = 2
    async with tab(alice_session) as first:
        async with tab(alice_session) as second, tab(alice_session) as third, tab(bob_session) as his:
            assert (await third.socket.receive_output(timeout=30))["code"] == 4429
            for each in (first, second, his):
                await each.send(type="ping")
                await each.until("pong")
        async with tab(alice_session) as another:
            await another.send(type="ping")
            await another.until("pong")


async def test_signing_out_closes_the_tabs_of_that_session(alice: Any, alice_session: str) -> None:
    from django.test import AsyncClient

    browser = AsyncClient()
    browser.cookies[settings.SESSION_COOKIE_NAME] = alice_session
    other_session = await make_async(session_of)(alice)
    async with tab(alice_session) as here, tab(other_session) as elsewhere:
        for each in (here, elsewhere):
            await each.send(type="ping")
            await each.until("pong")
        await browser.post("/sign-out/")
        assert (await here.socket.receive_output(timeout=30))["code"] == 4401
        await elsewhere.send(type="ping")
        await elsewhere.until("pong")


async def test_a_tab_whose_session_cannot_be_looked_at_starts_over(
    alice: Any, alice_session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def be_away(*_: Any) -> None:
        raise OperationalError("starting up")

    async with tab(alice_session) as here:
        await here.send(type="ping")
        await here.until("pong")
        monkeypatch.setattr(consumers, "is_signed_in", be_away)
        await make_async(feed.tell)(alice.pk, {"type": "signed_out"})
        assert (await here.socket.receive_output(timeout=30))["code"] == 4408


async def test_who_signs_out_while_redis_is_away_is_signed_out_when_it_is_back(
    alice: Any, alice_session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def be_away(*_: Any, **__: Any) -> None:
        raise redis.ConnectionError("away")

    other_session = await make_async(session_of)(alice)
    async with tab(alice_session) as here, tab(other_session) as elsewhere:
        while feed.FEED not in hub()._reading:
            await asyncio.sleep(0.01)
        with monkeypatch.context() as away:
            away.setattr(hub()._reader, "xread", be_away)
            away.setattr(feed, "tell", lambda *_: None)
            await Session.objects.filter(session_key=alice_session).adelete()
            while hub()._reader_id is not None:
                await hub()._client.client_unblock(hub()._reader_id)
                await asyncio.sleep(0.01)
        assert (await here.socket.receive_output(timeout=30))["code"] == 4401
        await elsewhere.send(type="ping")
        await elsewhere.until("pong")


async def test_another_password_closes_the_tabs_of_older_sessions(alice: Any, alice_session: str) -> None:
    async with tab(alice_session) as before:
        await before.send(type="ping")
        await before.until("pong")
        alice.set_password("the plain in Spain")
        await alice.asave()
        assert (await before.socket.receive_output(timeout=30))["code"] == 4401


async def test_signing_in_elsewhere_closes_no_tab(alice: Any, alice_session: str) -> None:
    from django.test import AsyncClient

    async with tab(alice_session) as here:
        await AsyncClient().post("/sign-in/", {"username": "alice", "password": "the rain in Spain"})
        await here.send(type="ping")
        await here.until("pong")


async def test_a_tab_is_told_what_happened_after_its_page_was_made(alice: Any, bob: Any, alice_session: str) -> None:
    known = await make_async(feed.newest)()
    for person, place in ((alice, "hers"), (bob, "his"), (alice, "hers too")):
        await make_async(feed.tell)(person.pk, {"type": "branch", "conversation": place})
    async with tab(alice_session) as here:
        for _ in range(2):  # once is enough
            await here.send(type="news", after=known)
        await here.send(type="ping")
        await here.until("pong")
        assert [frame.get("conversation") for frame in here.frames] == ["hers", "hers too", None]
        for nonsense in ("yesterday", 7):
            await here.send(type="news", after=nonsense)
            assert (await here.until("error"))["code"] == "bad_frame"


async def test_stopping_what_waits_ends_it_at_once(defaults: None, alice_session: str) -> None:
    async with tab(alice_session) as alice_tab, tab(alice_session) as phone:
        await alice_tab.send(type="send", client_id=str(uuid.uuid4()), text="Never mind")
        turn = await alice_tab.until("turn")
        await alice_tab.send(type="attach", reply=turn["reply"])
        await alice_tab.send(type="stop", reply=turn["reply"])
        finished = await alice_tab.until("finished")
        await phone.until("stopped", conversation=turn["conversation"], reply=turn["reply"])
    assert finished["status"] == "cancelled"
    assert (await Conversation.objects.aget()).ready_at is None


def test_of_what_is_deleted_nobody_is_told_that_it_is_ready(alice: Any) -> None:
    deleted, kept = (rows.undecided(alice, status="running") for _ in range(2))
    Conversation.objects.filter(pk=deleted.conversation_id).update(deleted_at=timezone.now())
    for turn in (deleted, kept):
        isolation.quarantine(turn, "Its process died.")
    told = [orjson.loads(fields[b"frame"]) for _, fields in client().xrange(feed.FEED)]
    assert [(frame["type"], frame["conversation"]) for frame in told] == [("ready", str(kept.conversation_id))]
    assert [row.pk for row in Conversation.objects.exclude(ready_at=None)] == [kept.conversation_id]
