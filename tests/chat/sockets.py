"""A tab's socket for tests: the real consumer behind the real ASGI application."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings

from chatsite.asgi import application
from chatsite.chat.models import Turn


class Tab:
    """Sends frames and waits for those it is interested in."""

    def __init__(self, socket: WebsocketCommunicator) -> None:
        self.socket = socket
        self.frames: list[dict[str, Any]] = []

    async def send(self, **frame: Any) -> None:
        await self.socket.send_json_to(frame)

    async def until(self, *types: str, seconds: float = 30, **fields: Any) -> dict[str, Any]:
        """The next frame of one of these types with these fields; the others are kept in `frames`."""
        while True:
            frame: dict[str, Any] = await self.socket.receive_json_from(timeout=seconds)
            self.frames.append(frame)
            if frame["type"] in types and fields.items() <= frame.items():
                return frame

    async def until_shown(self, reply: str, text: str) -> str:
        """Wait until the answer shows `text`; the last offset that was seen."""
        while text not in self.text_of(reply):
            frame = await self.until("delta", "snapshot")
        return str(frame["offset"])

    def text_of(self, reply: str) -> str:
        return text_of(reply, self.frames)


def text_of(reply: str, frames: list[dict[str, Any]]) -> str:
    """What a browser would show as text, checked for gaps and repetitions."""
    text = ""
    for frame in frames:
        if frame.get("reply") != reply:
            continue
        if frame["type"] in ("started", "reset"):
            text = ""
        elif frame["type"] == "snapshot":
            assert not frame["html"], "these tests use answers of one block"
            text = frame["tail"]
        elif frame["type"] == "delta":
            assert frame["at"] == len(text), f"a gap or a repetition: {frame}"
            text += frame["text"]
    return text


def headers(session: str, origin: str | None = None) -> list[tuple[bytes, bytes]]:
    cookie = f"{settings.SESSION_COOKIE_NAME}={session}"
    return [(b"cookie", cookie.encode()), (b"origin", (origin or settings.ALLOWED_ORIGINS[0]).encode())]


@asynccontextmanager
async def tab(session: str, language: str = "en") -> AsyncIterator[Tab]:
    spoken = (b"accept-language", language.encode())
    socket = WebsocketCommunicator(application, "/ws/", [*headers(session), spoken])
    connected, code = await socket.connect(timeout=30)
    assert connected, code
    try:
        yield Tab(socket)
    finally:
        await socket.disconnect(timeout=30)


def make_async(function: Any) -> Any:
    return sync_to_async(function, thread_sensitive=True)


async def ask(alice_tab: Tab, text: str, **fields: Any) -> dict[str, Any]:
    """Send a message and watch its answer."""
    await alice_tab.send(type="send", client_id=str(uuid.uuid4()), text=text, **fields)
    turn = await alice_tab.until("turn")
    await alice_tab.send(type="attach", reply=turn["reply"])
    return turn


async def stored(reply: str) -> Turn:
    return await Turn.objects.select_related("completion__answered_by", "decision").aget(pk=uuid.UUID(reply))
