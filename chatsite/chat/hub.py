"""The web process's one reader of Redis for all its sockets.

It reads every stream that somebody here watches with a single blocking XREAD, each from the last entry it has seen,
so nothing is skipped: neither by a slow moment nor by a Redis that was away. A reply's events are folded once per
process into frames (`chatsite.chat.live`), however many tabs watch.

A reply that has been silent for a while is looked up in the database, which has the last word: that ends the wait
of a reader whose worker died between storing an answer and saying so, or whose stream is gone. Whoever still waits for
a worker is told whether there is one, and where they stand.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Protocol
from uuid import UUID

import orjson
import redis
import redis.asyncio
from django.conf import settings
from django.utils import translation

from chatsite.chat import presenting, progress
from chatsite.chat.feed import FEED
from chatsite.chat.frames import Frame
from chatsite.chat.live import LiveReply
from chatsite.chat.models import Turn
from chatsite.chat.threads import in_thread
from workers.connections import stream_key
from workers.events import Event, Offset

logger = logging.getLogger(__name__)

BLOCK_MS = 2000
RETRY_SECONDS = 0.2
SILENCE_SECONDS = 2.0
INCLUDE_SECONDS = 0.002
TOLD_STATES = ("waiting", "unserved", "unrouted", "unread", "retrying")  # see `progress`

Entry = tuple[bytes, dict[bytes, bytes]]


class Subscriber(Protocol):
    """Who watches. `deliver` must not block; a subscriber that cannot keep up lets itself start over."""

    language: str  # in which the page is shown

    def deliver(self, frame: Frame) -> None: ...

    def start_over(self) -> None:
        """Leave, and come back with the last offset: something could not be passed on."""


class _Source:
    """A stream that somebody watches: where reading stands, who watches, and what to do with an entry."""

    def __init__(self, key: str, receive: Callable[[_Source, list[Entry]], None]) -> None:
        self.key = key
        self.last_id = "0-0"
        self.receive = receive
        self.subscribers: set[Subscriber] = set()
        self.heard_at = time.monotonic()

    def tell(self, frames: Iterable[Frame]) -> None:
        for frame in frames:
            for subscriber in tuple(self.subscribers):
                subscriber.deliver(frame)


class Hub:
    """All sources of a process. Use `hub()`: one for each event loop."""

    def __init__(self) -> None:
        # The reader's socket waits as long as XREAD blocks, and not much longer: the other side may be gone for good.
        self._reader: Any = redis.asyncio.Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=BLOCK_MS / 1000 + 3,
            socket_connect_timeout=2,
            single_connection_client=True,
        )
        self._client: Any = redis.asyncio.Redis.from_url(settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=2)
        self._sources: dict[str, _Source] = {}
        self._lives: dict[str, LiveReply] = {}
        self._tabs: dict[str, set[Subscriber]] = {}  # by person: who hears their news
        self._reader_id: int | None = None
        self._reading: frozenset[str] = frozenset()  # the keys of the read that is under way
        self._tasks: list[asyncio.Task[None]] = []
        self._errands: set[asyncio.Task[None]] = set()

    async def watch_feed(self, user_id: Any, subscriber: Subscriber) -> None:
        """Send the subscriber what happens in a person's conversations from now on."""
        self._tabs.setdefault(str(user_id), set()).add(subscriber)
        if FEED not in self._sources:
            source = _Source(FEED, self._receive_feed)
            source.last_id = f"{time.time_ns() // 1_000_000}-0"  # if Redis is away: old news would be taken for new
            with contextlib.suppress(redis.RedisError, OSError):
                source.last_id = await self._newest_id(FEED)
            if FEED not in self._sources:
                self._add(source)
        self._sources[FEED].subscribers.add(subscriber)
        await self._include(FEED)

    def count_tabs(self, user_id: Any) -> int:
        """How many tabs of a person watch their news here."""
        return len(self._tabs.get(str(user_id), ()))

    @property
    def news_id(self) -> str:
        """The last entry of the news that those who watch have been given."""
        return self._sources[FEED].last_id

    async def tell_news_since(self, news_id: str, user_id: Any, subscriber: Subscriber) -> None:
        """Send somebody who watches the feed what happened after `news_id` and before they watched."""
        with contextlib.suppress(redis.RedisError, OSError):
            for _, fields in await self._client.xrange(FEED, f"({news_id}", self.news_id):
                if fields[b"user"].decode() == str(user_id):
                    subscriber.deliver(orjson.loads(fields[b"frame"]))

    async def watch_reply(self, reply_id: UUID, subscriber: Subscriber, after: Offset | None = None) -> bool:
        """Send the subscriber a reply's frames after an offset (without one: all there is), then the live ones.

        Gives whether the decision is behind what is sent; if not, it will be told, too.

        The caller has checked that the person may see the reply and that it is not finished. What is rendered for
        all who watch a reply, a person in their tabs, is in the language of the first.
        """
        key = stream_key(reply_id)
        if key not in self._sources:
            source, live = await self._catch_up(reply_id, subscriber.language)
            if key not in self._sources:
                self._lives[key] = live
                self._add(source)
        source, live = self._sources[key], self._lives[key]
        source.subscribers.add(subscriber)
        is_decided = live.is_decided
        for frame in live.since(after):
            subscriber.deliver(frame)
        if live.is_over:
            await self._finish(source, live)
        await self._include(key)
        return is_decided

    def leave(self, subscriber: Subscriber, user_id: Any) -> None:
        """Stop sending to a person's subscriber. What nobody watches is no longer read."""
        tabs = self._tabs.get(str(user_id), set())
        tabs.discard(subscriber)
        if not tabs:
            self._tabs.pop(str(user_id), None)
        for key, source in tuple(self._sources.items()):
            source.subscribers.discard(subscriber)
            if not source.subscribers:
                self._forget(key)

    def leave_reply(self, reply_id: UUID, subscriber: Subscriber) -> None:
        """Stop sending the subscriber one reply, whether it was watched or not."""
        key = stream_key(reply_id)
        if source := self._sources.get(key):
            source.subscribers.discard(subscriber)
            if not source.subscribers:
                self._forget(key)

    async def _catch_up(self, reply_id: UUID, language: str) -> tuple[_Source, LiveReply]:
        source, live = _Source(stream_key(reply_id), self._receive_reply), LiveReply(reply_id, language)
        with contextlib.suppress(redis.RedisError, OSError):  # the reader will catch up when Redis is back
            for entry in await self._client.xrange(source.key):
                live.receive([Event.from_entry(*entry)])
                source.last_id = entry[0].decode()
        return source, live

    # --- reading -----------------------------------------------------------------------------------------------

    def _add(self, source: _Source) -> _Source:
        self._sources[source.key] = source
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._read_for_ever()), asyncio.create_task(self._look_up_for_ever())]
        return source

    def _forget(self, key: str) -> None:
        self._sources.pop(key, None)
        self._lives.pop(key, None)

    async def _read_for_ever(self) -> None:
        """Until the event loop ends, and cancels what still runs in it."""
        task, was_away = asyncio.current_task(), False
        try:
            # The client can swallow a cancellation that comes while its time-out is armed.
            while not (task and task.cancelling()):
                try:
                    await self._read_once()
                    if was_away:
                        self._have_all_look()
                    was_away = False
                except (redis.RedisError, OSError) as error:
                    logger.warning("Redis cannot be read, trying again: %s", error)
                    self._reader_id, was_away = None, True
                    await asyncio.sleep(RETRY_SECONDS)
        finally:
            await self._reader.aclose()
            await self._client.aclose()

    def _have_all_look(self) -> None:
        """Whoever was signed out while Redis was away could not be told: each tab looks whether it was its person."""
        for tab in [tab for tabs in self._tabs.values() for tab in tabs]:
            tab.deliver({"type": "signed_out"})

    def _pass_on(self, source: _Source, entries: list[Entry]) -> None:
        """Never raises: what goes wrong with one source must not stop the reading of all others."""
        try:
            source.receive(source, entries)
        except Exception:
            self._give_up(source)

    def _send_for(self, source: _Source, errand: Coroutine[Any, Any, None]) -> None:
        """Do something for a source that needs the database, while the reading goes on."""

        async def go() -> None:
            try:
                await errand
            except Exception:
                self._give_up(source)

        task = asyncio.create_task(go())
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    def _give_up(self, source: _Source) -> None:
        logger.exception("What came on %s could not be passed on; its readers start over", source.key)
        self._forget(source.key)
        for subscriber in tuple(source.subscribers):
            subscriber.start_over()

    async def _read_once(self) -> None:
        if self._reader_id is None:
            self._reader_id = int(await self._reader.client_id())
        if not self._sources:
            await asyncio.sleep(0)  # let whoever added the first source finish
        places = {source.key: source.last_id for source in self._sources.values()} or {"nobody": "$"}
        self._reading = frozenset(places)
        for key, entries in await self._reader.xread(places, block=BLOCK_MS) or []:
            source = self._sources.get(key.decode())
            # Otherwise all have left, and somebody has come back who has been given more, or less, since.
            if source is not None and source.last_id == places[source.key]:
                source.last_id = entries[-1][0].decode()
                source.heard_at = time.monotonic()
                self._pass_on(source, entries)

    async def _include(self, key: str) -> None:
        """Make the blocked read return, so that the next one includes `key`.

        Repeated, because a read that is on its way to Redis but not there yet cannot be unblocked.
        """
        while key in self._sources and key not in self._reading and self._reader_id is not None:
            with contextlib.suppress(redis.RedisError, OSError):
                await self._client.client_unblock(self._reader_id)
            await asyncio.sleep(INCLUDE_SECONDS)

    async def _newest_id(self, key: str) -> str:
        newest = await self._client.xrevrange(key, count=1)
        return newest[0][0].decode() if newest else "0-0"

    # --- what to do with entries ---------------------------------------------------------------------------------

    def _receive_feed(self, source: _Source, entries: list[Entry]) -> None:
        for _, fields in entries:
            if tabs := self._tabs.get(fields[b"user"].decode()):
                frame = orjson.loads(fields[b"frame"])
                for subscriber in tuple(tabs):
                    subscriber.deliver(frame)

    def _receive_reply(self, source: _Source, entries: list[Entry]) -> None:
        live = self._lives[source.key]
        events = [Event.from_entry(*entry) for entry in entries]
        was_decided = live.is_decided
        source.tell(live.receive(events))
        if live.is_over:
            self._send_for(source, self._finish(source, live))
        elif live.is_decided and not was_decided:
            self._send_for(source, self._tell_decision(source, live))

    async def _tell_decision(self, source: _Source, live: LiveReply) -> None:
        source.tell(await decided_frames(live.reply_id, live.language))

    async def _finish(self, source: _Source, live: LiveReply) -> None:
        if frames := await finished_frames(live.reply_id, live.language):
            self._forget(source.key)
            source.tell(frames)

    # --- the safety net ------------------------------------------------------------------------------------------

    async def _look_up_for_ever(self) -> None:
        while True:
            await asyncio.sleep(SILENCE_SECONDS)
            now = time.monotonic()
            silent = [
                (self._sources[key], live)
                for key, live in self._lives.items()
                if now - self._sources[key].heard_at >= SILENCE_SECONDS
            ]
            try:
                states = await _states_of([live.reply_id for _, live in silent]) if silent else {}
                for source, live in silent:
                    state = states.get(live.reply_id)
                    if state == "":
                        self._send_for(source, self._finish(source, live))
                    elif state in TOLD_STATES and source.heard_at < now:  # otherwise somebody has begun meanwhile
                        source.tell([{"type": "state", "reply": str(live.reply_id), "state": state}])
                await self._tell_places([live for _, live in silent if states.get(live.reply_id) == "waiting"])
            except Exception:
                logger.exception("Silent replies could not be looked up; trying again")

    async def _tell_places(self, lives: list[LiveReply]) -> None:
        """What was told once is never made worse (`workers.line`)."""
        for language in sorted({live.language for live in lives}):
            places = await _places_of([live.reply_id for live in lives if live.language == language], language)
            for reply_id, text in places.items():
                source = self._sources.get(stream_key(reply_id))
                if source and text:
                    source.tell([{"type": "position", "reply": str(reply_id), "text": text}])


@in_thread
def _places_of(reply_ids: list[UUID], language: str) -> dict[UUID, str]:
    with translation.override(language):
        return progress.places(reply_ids)


@in_thread
def _states_of(reply_ids: list[UUID]) -> dict[UUID, str]:
    return progress.states(Turn.objects.select_related("completion__model__provider").filter(pk__in=reply_ids))


@in_thread
def finished_frames(reply_id: UUID, language: str) -> list[Frame]:
    """The last frame of a reply: the whole article, as a reload would show it; none while it is being written."""
    turns = presenting.shown_turns(reply_id)
    with translation.override(language):
        return [
            {
                "type": "finished",
                "reply": str(turn.pk),
                "status": turn.answer.status,
                "html": presenting.render_reply(turn),
            }
            for turn in turns
            if not turn.answer.is_open
        ]


@in_thread
def decided_frames(reply_id: UUID, language: str) -> list[Frame]:
    """The badge of a reply, the route it was given and why; nothing before there is a decision."""
    turns = [turn for turn in presenting.shown_turns(reply_id) if turn.decision_id]
    with translation.override(language):
        return [{"type": "decided", "reply": str(reply_id), "html": presenting.render_decision(turn)} for turn in turns]


_hubs: dict[asyncio.AbstractEventLoop, Hub] = {}


def hub() -> Hub:
    """The hub of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        for stale in [other for other in _hubs if other.is_closed()]:
            del _hubs[stale]
        _hubs[loop] = Hub()
    return _hubs[loop]
