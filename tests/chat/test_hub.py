"""The web process's reader of streams: what goes wrong with one reply or one tab stays with it."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.utils import timezone

from chatsite.chat import presenting, turns
from chatsite.chat.hub import hub
from chatsite.chat.live import KEPT_FRAMES
from chatsite.chat.models import Turn
from chatsite.documents import attachments
from tests.chat.sockets import Tab, tab
from tests.processes import pretended_worker
from tests.sessions import session_of
from workers import stream
from workers.backends.base import Cancellation
from workers.connections import stream_key
from workers.events import Kind

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def session(alice: Any, defaults: None) -> str:
    return session_of(alice)


@pytest.fixture
def file(alice: Any) -> str:
    """A file in the draft, which nobody reads."""
    return str(attachments.add(alice, SimpleUploadedFile("a.txt", b"Some words.")).pk)


async def send(alice_tab: Tab, text: str, **more: Any) -> uuid.UUID:
    """Send a message and watch its reply, which nobody answers."""
    await alice_tab.send(type="send", client_id=str(uuid.uuid4()), text=text, **more)
    reply = (await alice_tab.until("turn"))["reply"]
    await alice_tab.send(type="attach", reply=reply)
    await alice_tab.send(type="ping")
    await alice_tab.until("pong")
    return uuid.UUID(reply)


def begin(reply: uuid.UUID) -> stream.StreamWriter:
    """A writer for the reply's stream, as a worker has one."""
    writer = stream.StreamWriter(reply, 1, Cancellation())
    writer.event(Kind.STARTED, model="m")
    return writer


def write(reply: uuid.UUID) -> None:
    writer = begin(reply)
    writer.delta("t0 ")
    assert writer.flush(10)


async def test_a_reply_that_cannot_be_shown_does_not_silence_the_others(
    session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with tab(session) as alice_tab:
        reply = await send(alice_tab, "Hello")
        with monkeypatch.context() as broken:
            broken.setattr("chatsite.chat.live.LiveReply.receive", lambda *_: 1 / 0)
            write(reply)
            assert (await alice_tab.socket.receive_output(timeout=30))["code"] == 4408
    async with tab(session) as again:
        await again.send(type="attach", reply=str(reply))
        assert (await again.until("snapshot"))["tail"] == "t0 "


async def test_a_reply_that_cannot_be_shown_does_not_keep_others_from_their_end(
    session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with tab(session) as alice_tab, tab(session) as other:
        bad = await send(other, "Bad")
        await alice_tab.until("turn", reply=str(bad))
        good = await send(alice_tab, "Good")
        render = presenting.render_reply
        monkeypatch.setattr(presenting, "render_reply", lambda turn: 1 / 0 if turn.pk == bad else render(turn))
        await Turn.objects.aupdate(status="cancelled", finished_at=timezone.now())  # and nobody says so
        assert (await alice_tab.until("finished"))["reply"] == str(good)


async def test_a_tab_starts_over_if_the_database_is_away_when_it_wants_to_watch(
    session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def be_away(*_: Any) -> None:
        raise OperationalError("starting up")

    async with tab(session) as alice_tab:
        reply = await send(alice_tab, "Hello")
        monkeypatch.setattr("chatsite.chat.access.whether_open_or_404", be_away)
        await alice_tab.send(type="attach", reply=str(reply))
        assert (await alice_tab.socket.receive_output(timeout=30))["code"] == 4408


async def test_a_tab_that_has_left_a_reply_hears_no_more_of_it(session: str) -> None:
    async with tab(session) as alice_tab, tab(session) as other:
        left, kept = await send(alice_tab, "Leave me"), await send(alice_tab, "Keep me")
        await other.send(type="attach", reply=str(left))
        await alice_tab.send(type="detach", reply=str(left))
        await alice_tab.send(type="ping")
        await alice_tab.until("pong")
        write(left)
        await other.until("delta", reply=str(left), text="t0 ")
        write(kept)
        await alice_tab.until("delta", reply=str(kept), text="t0 ")
        assert not any(frame["type"] == "delta" and frame["reply"] == str(left) for frame in alice_tab.frames)
        await alice_tab.send(type="attach", reply=str(left))
        assert (await alice_tab.until("snapshot", reply=str(left)))["tail"] == "t0 "


async def test_who_leaves_and_comes_back_while_it_is_read_gets_nothing_twice(
    session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with tab(session) as alice_tab, tab(session) as other:
        reply = await send(alice_tab, "Hello")
        writer, came_back, xread = begin(reply), asyncio.Event(), hub()._reader.xread

        async def read(*args: Any, **kwargs: Any) -> Any:
            found = await xread(*args, **kwargs)
            if stream_key(reply).encode() in dict(found or []) and not came_back.is_set():
                await alice_tab.send(type="detach", reply=str(reply))
                await alice_tab.send(type="attach", reply=str(reply))
                assert (await alice_tab.until("snapshot"))["tail"] == "t0 t1 "
                came_back.set()
            return found

        monkeypatch.setattr(hub()._reader, "xread", read)
        writer.delta("t0 ")  # found by the read that has begun already
        await alice_tab.until_shown(str(reply), "t0 ")
        writer.delta("t1 ")
        await came_back.wait()
        writer.delta("t2 ")
        await alice_tab.until_shown(str(reply), "t2 ")
        await other.send(type="attach", reply=str(reply))
        assert (await other.until("snapshot"))["tail"] == alice_tab.text_of(str(reply)) == "t0 t1 t2 "


async def test_a_reply_that_was_deleted_meanwhile_disturbs_nobody(session: str) -> None:
    async with tab(session) as alice_tab:
        gone, kept = await send(alice_tab, "Delete me"), await send(alice_tab, "Keep me")
        await Turn.objects.filter(pk=gone).adelete()
        write(gone)
        write(kept)
        await alice_tab.until("delta", reply=str(kept), text="t0 ")


async def test_a_tab_that_has_missed_much_gets_a_snapshot(session: str) -> None:
    missed = KEPT_FRAMES + 50
    async with tab(session) as watching:
        reply = await send(watching, "Hello")
        writer = begin(reply)
        offsets = []
        for number in range(missed):  # each in a frame of its own
            writer.delta(f"t{number} ")
            offsets.append((await watching.until("delta", text=f"t{number} "))["offset"])
        async with tab(session) as back:
            await back.send(type="attach", reply=str(reply), after="1-2")
            assert (await back.until("snapshot"))["tail"] == watching.text_of(str(reply))
        async with tab(session) as back:
            await back.send(type="attach", reply=str(reply), after=offsets[-4])
            assert [(await back.until("delta"))["text"] for _ in range(3)] == [
                f"t{number} " for number in range(missed - 3, missed)
            ]


async def test_what_fails_here_is_said_where_the_person_is(session: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(*_: Any, **__: Any) -> None:
        raise OperationalError("database or disk is full")

    async with tab(session) as alice_tab:
        with monkeypatch.context() as broken:
            broken.setattr(turns, "submit", full_disk)
            await alice_tab.send(type="send", client_id=str(uuid.uuid4()), text="Keep this")
            refused = await alice_tab.until("error")
        assert refused["code"] == "not_now"
        assert "is kept" in refused["text"]
        await send(alice_tab, "Now it goes")


async def test_a_tab_that_is_gone_leaves_nothing_behind(session: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with tab(session) as alice_tab:
        await send(alice_tab, "Hello")
        assert hub()._sources
    assert not hub()._sources
    monkeypatch.setattr(presenting, "render_turn", lambda *_: 1 / 0)
    async with tab(session) as alice_tab:
        await alice_tab.send(type="send", client_id=str(uuid.uuid4()), text="Hello")
        await alice_tab.until("error")
    assert not hub()._sources


async def test_a_message_that_nobody_routes_and_files_that_nobody_reads_say_so(
    session: str, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatsite.chat.hub.SILENCE_SECONDS", 0.2)
    async with tab(session) as alice_tab:
        reply = await send(alice_tab, "Summarise this", files=[file])
        await alice_tab.until("state", state="unrouted", reply=str(reply))
        with pretended_worker(queues=["route"]):
            await alice_tab.until("state", state="unread", reply=str(reply))


async def test_who_waits_is_told_that_the_model_is_being_loaded(session: str) -> None:
    async with tab(session) as alice_tab:
        reply = await send(alice_tab, "Hello")
        writer = stream.StreamWriter(reply, 1, Cancellation())
        writer.event(Kind.STARTED, model="m")
        writer.event(Kind.LOADING, model="m")
        await alice_tab.until("loading")
        async with tab(session) as later:
            await later.send(type="attach", reply=str(reply))
            assert (await later.until("snapshot"))["is_loading"]
        writer.event(Kind.LOADED)
        await alice_tab.until("loaded")
        async with tab(session) as later:
            await later.send(type="attach", reply=str(reply))
            assert not (await later.until("snapshot"))["is_loading"]
        writer.flush(10)
