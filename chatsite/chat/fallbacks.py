"""A tab without a socket, because something on the way does not let sockets through: the same frames over plain HTTP.

What it says is posted (`say`). What it hears comes as server-sent events (`listen`), or, where something on the way
keeps those back until they end, as answers to polls (`poll`). Each request says how far the tab has come (`Cursor`), so
that it does not matter which web process it reaches.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from chatsite.chat.cursors import Cursor
from chatsite.chat.frames import Frame
from chatsite.chat.hub import hub
from chatsite.chat.refusals import RefusedError
from chatsite.chat.signing_out import is_signed_in
from chatsite.chat.tabs import PREVIEW_SECONDS, WAITING_FRAMES, Tab
from workers.connections import client

LISTENERS_PER_PERSON = 24  # that listen to one web process at a time
PING_SECONDS = 20.0
LONGEST_POLL_SECONDS = 20.0
LINGER_SECONDS = 3.0  # after a poll its replies stay at hand, as the next one is on its way
RETRY_SECONDS = 5

_listening: dict[Any, set[Listener]] = defaultdict(set)  # by person


@never_cache
@require_POST
async def say(request: HttpRequest) -> HttpResponseBase:
    """A frame from the browser; answered with the frames that only this tab is told."""
    user = await request.auser()
    if not user.is_authenticated:
        return _signed_out()
    tab = Speaker(user, request)
    await tab.hear(request.body.decode("utf-8", "replace"))
    return _json({"frames": tab.frames})


@never_cache
@require_GET
async def listen(request: HttpRequest) -> HttpResponseBase:
    """Frames as server-sent events, for as long as the tab listens. The id of an event is the cursor after it."""
    return await _open(request, _events, "text/event-stream")


@never_cache
@require_GET
async def poll(request: HttpRequest) -> HttpResponseBase:
    """The frames after the cursor, as soon as there are some; the first time, without news, what there is."""
    return await _open(request, _poll, "application/json")


def end_all() -> None:
    """End what is being listened to: this process stops, and the tabs come back to another one."""
    for tab in [tab for tabs in _listening.values() for tab in tabs]:
        tab.start_over()


class Speaker(Tab):
    """A tab for as long as it says something."""

    def __init__(self, user: Any, request: Any) -> None:
        self.user = user
        self.language = request.LANGUAGE_CODE
        self.frames: list[Frame] = []

    def deliver(self, frame: Frame) -> None:
        self.frames.append(frame)

    async def _attach(self, frame: Frame) -> None:
        raise RefusedError("unknown_event")  # whoever listens says in the address what they watch

    async def _catch_up(self, frame: Frame) -> None:
        raise RefusedError("unknown_event")

    async def _may_preview(self) -> bool:
        key, milliseconds = f"previewed:{self.user.pk}", int(PREVIEW_SECONDS * 1000)
        return bool(await asyncio.to_thread(client().set, key, 1, px=milliseconds, nx=True))


class Listener(Tab):
    """A tab for as long as it listens."""

    def __init__(self, user: Any, request: Any, cursor: Cursor) -> None:
        self.user = user
        self.language = request.LANGUAGE_CODE
        self.cursor = cursor
        self.is_new = not cursor.news or "now" in request.GET  # it wants to hear at once that the way is open
        self.is_over = False
        self._session_key = request.session.session_key
        self._outbox: list[Frame] = []
        self._woken = asyncio.Event()
        self._is_catching_up = False

    async def begin(self) -> None:
        """Watch the news and the replies of the cursor, from where it stands."""
        await hub().watch_feed(self.user.pk, self)
        if self.cursor.news:
            await hub().tell_news_since(self.cursor.news, self.user.pk, self)
        self._is_catching_up = True
        for reply, after in self.cursor.replies.items():
            await self.hear(orjson.dumps({"type": "attach", "reply": reply, "after": after}).decode())
        self._is_catching_up = False

    def deliver(self, frame: Frame) -> None:
        is_known = self._is_catching_up and frame["type"] == "decided" and frame["reply"] in self.cursor.decided
        if self.is_over or is_known:
            return
        if len(self._outbox) == WAITING_FRAMES:
            self.start_over()
            return
        self._outbox.append(frame)
        self._woken.set()

    def start_over(self) -> None:
        self.is_over = True
        self._woken.set()

    async def frames(self, seconds: float) -> list[Frame]:
        """What there is to tell, as soon as there is something, and not later than in so many seconds.

        The cursor stands behind it. A delta and the blocks that it finishes are never torn apart.
        """
        with suppress(TimeoutError):  # what comes at that very moment is there all the same
            await asyncio.wait_for(self._woken.wait(), seconds)
        self._woken.clear()
        frames, self._outbox = self._outbox, []
        if not self.is_over:  # then, some may have been dropped
            self.cursor.news = hub().news_id
        if any(frame["type"] == "signed_out" for frame in frames):
            self.is_over = self.is_over or not await is_signed_in(self._session_key)
            if not self.is_over:
                frames = [frame for frame in frames if frame["type"] != "signed_out"]
        for frame in frames:
            self.cursor.note(frame)
        return frames


async def _open(request: HttpRequest, answering: Any, content_type: str) -> HttpResponseBase:
    user = await request.auser()
    if not user.is_authenticated:
        return _signed_out()
    if len(_listening.get(user.pk, ())) >= LISTENERS_PER_PERSON:
        return HttpResponse(status=429, headers={"Retry-After": str(RETRY_SECONDS)})
    try:
        cursor = Cursor.parse(request.headers.get("Last-Event-ID") or request.GET.get("at", ""))
    except RefusedError:
        return HttpResponse(status=400)
    content = answering(Listener(user, request, cursor))
    # X-Accel-Buffering is for nginx, which would keep events until it has a page full of them.
    return StreamingHttpResponse(content, content_type=content_type, headers={"X-Accel-Buffering": "no"})


async def _events(tab: Listener) -> AsyncIterator[bytes]:
    _listening[tab.user.pk].add(tab)
    try:
        await tab.begin()
        retry_ms = random.randint(500, 1500)  # noqa: S311 - so that not all tabs come back at once
        yield b"retry: %d\n" % retry_ms + _event(tab, [])
        while not tab.is_over:
            yield _event(tab, await tab.frames(PING_SECONDS) or [{"type": "pong"}])
    finally:
        _leave(tab)
        hub().leave(tab, tab.user.pk)


async def _poll(tab: Listener) -> AsyncIterator[bytes]:
    _listening[tab.user.pk].add(tab)
    try:
        await tab.begin()
        frames = await tab.frames(0 if tab.is_new else LONGEST_POLL_SECONDS)
        yield orjson.dumps({"at": str(tab.cursor), "frames": frames})
    finally:
        _leave(tab)
        asyncio.get_running_loop().call_later(LINGER_SECONDS, hub().leave, tab, tab.user.pk)


def _leave(tab: Listener) -> None:
    tab.is_over = True
    _listening[tab.user.pk].discard(tab)
    if not _listening[tab.user.pk]:
        del _listening[tab.user.pk]


def _event(tab: Listener, frames: list[Frame]) -> bytes:
    return b"id: %s\ndata: %s\n\n" % (str(tab.cursor).encode(), orjson.dumps(frames))


def _signed_out() -> HttpResponse:
    return _json({"at": "", "frames": [{"type": "signed_out"}]}, status=401)


def _json(content: Any, status: int = 200) -> HttpResponse:
    return HttpResponse(orjson.dumps(content), status=status, content_type="application/json")
