"""A tab with a socket: passes frames on, both ways. What a tab may ask for is in `chatsite.chat.tabs`."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import orjson
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import DatabaseError

from chatsite.accounts import languages
from chatsite.accounts.sockets import identified
from chatsite.chat.frames import Frame
from chatsite.chat.hub import hub
from chatsite.chat.signing_out import is_signed_in
from chatsite.chat.tabs import WAITING_FRAMES, Tab

logger = logging.getLogger(__name__)

SIGNED_OUT = 4401
START_OVER = 4408
TOO_MANY = 4429


class ChatConsumer(Tab, AsyncWebsocketConsumer):
    """A tab with a socket."""

    user: Any = AnonymousUser()  # until it is known
    _sender: asyncio.Task[None] | None = None  # while there is something to send

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._outbox: list[Frame] = []

    async def __call__(self, *args: Any) -> None:
        try:
            await super().__call__(*args)
        finally:  # whichever way it ended
            hub().leave(self, self.user.pk)
            if self._sender:
                self._sender.cancel()

    async def connect(self) -> None:
        known = await identified(self.scope)
        self.user, self._session_key = known["user"], known["session"].session_key
        self.language = languages.of_socket(known)
        await self.accept()
        self.scope["headers"].clear()  # nobody reads any of it any more, and a tab may stay for days
        self.scope.clear()
        if not self.user.is_authenticated:
            await self.close(SIGNED_OUT)
            return
        if hub().count_tabs(self.user.pk) >= settings.TABS_PER_PERSON:
            await self.close(TOO_MANY)
            return
        await hub().watch_feed(self.user.pk, self)
        if not await is_signed_in(self._session_key):  # signed out while the feed was not watched yet
            await self.close(SIGNED_OUT)

    def deliver(self, frame: Frame) -> None:
        """Queue a frame for the browser. One that does not read has to start over."""
        if len(self._outbox) == WAITING_FRAMES:
            self.start_over()
            return
        self._outbox.append(frame)
        if self._sender is None:
            self._sender = asyncio.create_task(self._pass_on())

    def start_over(self) -> None:
        """Close; the tab comes back where it was."""
        hub().leave(self, self.user.pk)
        asyncio.get_running_loop().create_task(self.close(START_OVER))

    async def _pass_on(self) -> None:
        """Send what is queued; a tab that nothing happens in keeps no task for it."""
        try:
            while self._outbox:
                waiting, self._outbox = self._outbox, []
                for frame in waiting:
                    await self._send(frame)
        except DatabaseError as error:  # whether its session stands is not known: it comes back if it does
            logger.warning("A tab starts over, since its session could not be looked at: %s", error)
            self.start_over()
        finally:
            self._sender = None

    async def _send(self, frame: Frame) -> None:
        if frame["type"] != "signed_out":
            await self.base_send({"type": "websocket.send", "text": orjson.dumps(frame).decode()})
        elif not await is_signed_in(self._session_key):
            await self.close(SIGNED_OUT)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.hear(text_data)
