"""Tabs whose sockets are blocked: the same frames, by posts, server-sent events and polls."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from django.test import AsyncClient

from chatsite.chat import fallbacks
from chatsite.chat.models import Turn
from tests.chat.sockets import make_async, text_of
from tests.chat.test_hub import begin
from tests.pages import rows

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def client(async_client: AsyncClient, alice: Any, defaults: None) -> AsyncClient:
    """A browser in which Alice is signed in."""
    async_client.force_login(alice)
    return async_client


class Events:
    """What an EventSource hears: events with their ids."""

    def __init__(self, content: AsyncIterator[bytes]) -> None:
        self._content = content
        self.frames: list[dict[str, Any]] = []
        self.last_id = ""

    async def next(self) -> list[dict[str, Any]]:
        event = await asyncio.wait_for(anext(self._content), 30)
        fields = dict(line.split(": ", 1) for line in event.decode().strip().split("\n"))
        self.last_id = fields["id"]
        frames: list[dict[str, Any]] = orjson.loads(fields["data"])
        self.frames += frames
        return frames

    async def until(self, *types: str) -> dict[str, Any]:
        """The next frame of one of these types; all that came together is kept in `frames`."""
        while True:
            for frame in await self.next():
                if frame["type"] in types:
                    return frame


@asynccontextmanager
async def events(client: AsyncClient, at: str = "", **headers: str) -> AsyncIterator[Events]:
    response = await client.get("/frames/events/", {"at": at}, headers={"Accept-Encoding": "gzip", **headers})
    assert response.status_code == 200
    assert "Content-Encoding" not in response  # a compressor would hold events back
    assert response["Content-Type"] == "text/event-stream"
    assert response["X-Accel-Buffering"] == "no"
    listening = Events(response.streaming_content)  # type: ignore[attr-defined]
    assert await listening.next() == []  # says that the way is open
    try:
        yield listening
    finally:  # as the server does when the browser has gone
        waiting = asyncio.ensure_future(listening.next())
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


async def poll(client: AsyncClient, at: str) -> dict[str, Any]:
    response = await client.get("/frames/poll/", {"at": at})
    content = b"".join([part async for part in response.streaming_content])  # type: ignore[attr-defined]
    answer: dict[str, Any] = orjson.loads(content)
    return answer


async def say(client: AsyncClient, **frame: Any) -> list[dict[str, Any]]:
    response = await client.post("/frames/", frame, content_type="application/json")
    frames: list[dict[str, Any]] = orjson.loads(response.content)["frames"]
    return frames


async def send(client: AsyncClient, text: str = "Hello") -> uuid.UUID:
    accepted, turn = await say(client, type="send", client_id=str(uuid.uuid4()), text=text)
    assert (accepted["type"], turn["type"]) == ("accepted", "turn")
    return uuid.UUID(turn["reply"])


async def test_what_is_posted_is_answered_as_over_a_socket(client: AsyncClient) -> None:
    client_id = str(uuid.uuid4())
    async with events(client) as listening:
        accepted, turn = await say(client, type="send", client_id=client_id, text="Hello there")
        assert accepted["client_id"] == client_id
        assert "Hello there" in turn["html"]
        assert (await listening.until("turn"))["reply"] == turn["reply"]  # as every tab of the person is told
    assert (await say(client, type="send", client_id=client_id, text="Hello there"))[0]["reply"] == turn["reply"]
    assert await Turn.objects.acount() == 1
    (refused,) = await say(client, type="send", client_id=client_id, text=" ")
    assert refused | {"code": "empty", "client_id": client_id} == refused
    for nonsense in ({}, {"type": "attach", "reply": turn["reply"]}, {"type": "send", "text": 7}):
        assert [answer["type"] for answer in await say(client, **nonsense)] == ["error"]


async def test_events_go_on_after_the_last_one_that_was_heard(client: AsyncClient) -> None:
    reply = await send(client)
    writer = begin(reply)
    async with events(client, f",{reply}@") as listening:
        writer.delta("One ")
        while "One " not in text_of(str(reply), listening.frames):
            await listening.next()
        heard = listening.frames
    writer.delta("two ")
    async with events(client, "", **{"Last-Event-ID": listening.last_id}) as again:
        again.frames = heard
        writer.delta("three.")
        while "three." not in text_of(str(reply), again.frames):  # fails at a gap or a repetition
            await again.next()
        assert text_of(str(reply), again.frames) == "One two three."


async def test_polls_give_what_is_new_since_the_last_one(client: AsyncClient) -> None:
    at = (await poll(client, ""))["at"]
    reply = await send(client)
    answer = await poll(client, at)
    assert [frame["reply"] for frame in answer["frames"] if frame["type"] == "turn"] == [str(reply)]
    writer = begin(reply)
    frames: list[dict[str, Any]] = []
    at = f"{answer['at']},{reply}@"
    for number in range(20):
        writer.delta(f"t{number} ")
        if number % 5 == 4:
            assert writer.flush(10)
            while f"t{number} " not in text_of(str(reply), frames):
                answer = await poll(client, at)
                at = answer["at"]
                frames += answer["frames"]
    assert text_of(str(reply), frames) == "".join(f"t{number} " for number in range(20))


async def test_news_that_come_in_the_last_moment_of_a_poll_are_told(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = (await poll(client, ""))["at"]
    woken = asyncio.Event()

    async def wait_a_moment_too_long(waiting: Any, _: float) -> None:
        woken.set()
        await waiting
        raise TimeoutError

    late = SimpleNamespace(**{**vars(asyncio), "wait_for": wait_a_moment_too_long})
    monkeypatch.setattr(fallbacks, "asyncio", late)
    polling = asyncio.ensure_future(poll(client, at))
    await woken.wait()
    reply = await send(client)
    assert [frame["reply"] for frame in (await polling)["frames"] if frame["type"] == "turn"] == [str(reply)]


async def test_an_answer_that_is_finished_is_told_once(client: AsyncClient, alice: Any) -> None:
    done = await make_async(rows.turn)(alice)
    answer = await poll(client, f",{done.pk}@")
    assert [frame["type"] for frame in answer["frames"]] == ["finished"]
    assert str(done.pk) not in answer["at"]


async def test_replies_of_others_are_not_there(client: AsyncClient, bob: Any) -> None:
    theirs = await make_async(rows.turn)(bob, "My secret")
    for at in (f",{theirs.pk}@", f",{uuid.uuid4()}@"):
        async with events(client, at) as listening:
            assert (await listening.until("error", "finished", "snapshot"))["code"] == "not_found"
        answer = await poll(client, at)
        assert [frame["type"] for frame in answer["frames"]] == ["error"]
    assert [frame["code"] for frame in await say(client, type="stop", reply=str(theirs.pk))] == ["not_found"]


@pytest.mark.parametrize("at", ["nonsense", "1-1,", ",not-a-reply@", f",{uuid.UUID(int=1)}", "1-1" * 50, ",%s@" * 21])
async def test_a_cursor_that_is_none_is_refused(client: AsyncClient, at: str) -> None:
    for way in ("events", "poll"):
        assert (await client.get(f"/frames/{way}/", {"at": at})).status_code == 400


async def test_nobody_is_told_anything_who_is_not_signed_in(async_client: AsyncClient) -> None:
    for response in (
        await async_client.get("/frames/events/"),
        await async_client.get("/frames/poll/"),
        await async_client.post("/frames/", {"type": "ping"}, content_type="application/json"),
    ):
        assert response.status_code == 401
        assert orjson.loads(response.content)["frames"] == [{"type": "signed_out"}]


async def test_signing_out_in_another_tab_ends_it_here(client: AsyncClient) -> None:
    async with events(client) as listening:
        await client.post("/sign-out/")
        assert await listening.until("signed_out")
        with pytest.raises(StopAsyncIteration):
            await listening.next()


async def test_a_post_needs_the_token_of_the_page(alice: Any) -> None:
    strict = AsyncClient(enforce_csrf_checks=True)
    await strict.aforce_login(alice)
    response = await strict.post("/frames/", {"type": "ping"}, content_type="application/json")
    assert response.status_code == 403


async def test_one_person_cannot_listen_without_end(client: AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fallbacks, "LISTENERS_PER_PERSON", 2)
    async with events(client), events(client):
        refused = await client.get("/frames/events/")
        assert (refused.status_code, refused["Retry-After"]) == (429, "5")
    async with events(client):
        pass  # those who have gone count no more
    assert not fallbacks._listening


async def test_a_process_that_stops_lets_its_tabs_go(client: AsyncClient) -> None:
    async with events(client) as listening:
        fallbacks.end_all()
        with pytest.raises(StopAsyncIteration):
            await listening.next()


async def test_an_answer_that_is_stopped_ends_here_too(client: AsyncClient) -> None:
    reply = await send(client)
    async with events(client, f",{reply}@") as listening:
        assert await say(client, type="stop", reply=str(reply)) == []
        finished = await listening.until("finished")
    assert finished["status"] == "cancelled"
    assert str(reply) not in listening.last_id
