"""A browser tab, whichever way its frames travel: checks what it asks for, calls one service, says what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from django.db import DatabaseError
from django.http import Http404
from django.utils import translation

from chatsite.chat import (
    access,
    admission,
    branches,
    comparing,
    conversations,
    corrections,
    frames,
    news,
    notices,
    previewing,
    ratings,
    turns,
)
from chatsite.chat.cursors import Cursor
from chatsite.chat.frames import Frame
from chatsite.chat.hub import decided_frames, finished_frames, hub
from chatsite.chat.models import Turn
from chatsite.chat.refusals import BusyError, RefusedError
from chatsite.chat.threads import at_once, in_thread
from workers import tracing
from workers.logs import about

logger = logging.getLogger(__name__)

WAITING_FRAMES = 2000  # for a tab that does not read: beyond them it has to start over
ANSWERED = ("send", "edit", "again", "continue", "compare", "correct")  # frames that a reply comes of
PREVIEW_SECONDS = 0.2  # between two previews of a tab
TAG_CHARACTERS = 40

Asked = TypeVar("Asked")


class Tab:
    """A browser tab of a person, and what it may ask for; how frames travel is for those who inherit this."""

    user: Any
    language: str  # in which its page is shown
    _previewed_at = 0.0
    _has_caught_up = False
    _asked_for = ""  # the id of the reply that this tab has caused last

    def deliver(self, frame: Frame) -> None:
        """Send a frame to the tab, soon."""
        raise NotImplementedError

    def start_over(self) -> None:
        """Let the tab come back where it was: something could not be passed on to it."""
        raise NotImplementedError

    async def hear(self, text: str | None) -> None:
        """Do what a frame asks for. Whatever is wrong with it is said in a frame `error`."""
        with translation.override(self.language):
            await self._hear(text)

    async def _hear(self, text: str | None) -> None:
        frame: Frame = {}
        try:
            frame = frames.parse(text)
            kind = frame.get("type")
            traced = tracing.asked(f"socket {kind}") if kind in ANSWERED else contextlib.nullcontext()
            with about(**frames.subject(frame)), traced:
                await self._dispatch(frame)
        except RefusedError as error:
            self._refuse(error.code, error.text, frame, **_when(error))
        except Http404:
            self._refuse("not_found", notices.text("not_found"), frame)
        except Exception:  # the database is away, its disk is full: the person must hear of it where they are
            logger.exception("A frame of the type %.40r failed", frame.get("type"), extra=frames.subject(frame))
            self._refuse("not_now", notices.text("not_now"), frame)

    async def _dispatch(self, frame: Frame) -> None:
        match frame.get("type"):
            case "send":
                await self._submit(frame)
            case "edit":
                await self._edit(frame)
            case "again":
                again = partial(turns.again, self.user, **frames.another_answer(frame))
                await self._have_answered(again, frames.client_id(frame), with_message=False)
            case "continue":
                more = partial(turns.continue_answer, self.user, reply_id=frame.get("reply"))
                await self._have_answered(more, frames.client_id(frame), with_message=True)
            case "compare":
                compare = partial(comparing.compare, self.user, **frames.another_answer(frame))
                await in_thread(await self._unless_full(compare))()
            case "correct":
                await self._correct(frame)
            case "rate":
                await self._rate(frame)
            case "choose":
                await in_thread(branches.choose)(self.user, message_id=frame.get("message"))
            case "attach":
                await self._attach(frame)
            case "detach":
                await self._detach(frame)
            case "news":
                await self._catch_up(frame)
            case "seen":
                await in_thread(conversations.see)(self.user, conversation_id=frame.get("conversation"))
            case "stop":
                await in_thread(turns.stop)(self.user, reply_id=frame.get("reply"))
            case "preview":
                await self._preview(frame)
            case "ping":
                self.deliver({"type": "pong"})
            case _:
                raise RefusedError("unknown_event")

    async def _submit(self, frame: Frame) -> None:
        client_id = frames.client_id(frame)
        submit = partial(
            turns.submit,
            self.user,
            text=frames.text(frame, "text"),
            conversation_id=frame.get("conversation") or None,
            client_id=client_id,
            wanted_route=frames.text(frame, "route"),
            files=frames.files(frame),
            waits=frame.get("waits") is True,
        )
        await self._have_answered(submit, client_id, with_message=True)

    async def _edit(self, frame: Frame) -> None:
        client_id, text = frames.client_id(frame), frames.text(frame, "text")
        edit = partial(turns.edit, self.user, message_id=frame.get("message"), text=text, client_id=client_id)
        await self._have_answered(edit, client_id, with_message=True)

    async def _correct(self, frame: Frame) -> None:
        correct = partial(
            corrections.correct, self.user, reply_id=frame.get("reply"), wanted_route=frames.text(frame, "route")
        )
        corrected = await in_thread(await self._unless_full(correct))()
        await self._tell(await _new(lambda: corrected.turn, with_message=False), None)
        if corrected.text:
            self.deliver({"type": "corrected", "reply": frame.get("reply"), "text": corrected.text})

    async def _rate(self, frame: Frame) -> None:
        value, reason = frames.text(frame, "rating"), frames.text_if_any(frame, "reason")
        await in_thread(ratings.rate)(self.user, reply_id=frame.get("reply"), value=value, reason=reason)

    async def _have_answered(self, ask: Callable[[], Turn], client_id: UUID | None, with_message: bool) -> None:
        ask = await self._unless_full(ask, client_id)
        await self._tell(await _new(ask, with_message=with_message), client_id)

    async def _unless_full(self, ask: Callable[[], Asked], client_id: UUID | None = None) -> Callable[[], Asked]:
        """`ask`, to be called in a thread, where it may have to wait for those who are let in.

        Whoever can be refused is refused before that, or, if somebody else has been by then, instead of it.
        """
        came_at = time.monotonic()
        if admission.was_full():
            await at_once(turns.refuse_if_full)(self.user, client_id)

        def in_turn() -> Asked:
            turns.refuse_if_full(self.user, client_id, since=came_at)
            return ask()

        return in_turn

    async def _tell(self, told: list[Frame], client_id: UUID | None) -> None:
        """Tell the sender that it is saved, and every tab of the person (this one too) what is new."""
        accepted = {key: told[0][key] for key in ("conversation", "url", "reply")}
        self._asked_for = accepted["reply"]
        self.deliver({"type": "accepted", "client_id": client_id and str(client_id), **accepted})
        for frame in told:
            self.deliver(frame)
        await asyncio.to_thread(news.tell_all, self.user.pk, told)

    async def _preview(self, frame: Frame) -> None:
        """Say where a message that is being typed would go. One that comes too soon or is too long has no answer."""
        text, files = frames.text(frame, "text").strip(), frames.files(frame)
        conversation, tag = frames.identity(frame, "conversation"), frames.text(frame, "tag")[:TAG_CHARACTERS]
        if not (text or files) or len(text) > previewing.MAX_CHARACTERS or not await self._may_preview():
            return
        await asyncio.to_thread(
            previewing.ask, self.user, text=text, conversation_id=conversation, files=files, tag=tag
        )

    async def _may_preview(self) -> bool:
        now = time.monotonic()
        if now - self._previewed_at < PREVIEW_SECONDS:
            return False
        self._previewed_at = now
        return True

    async def _attach(self, frame: Frame) -> None:
        try:
            await self._watch(frame)
        except DatabaseError as error:  # a tab that is only told so would wait for the answer for ever
            logger.warning("A tab starts over, since it could not watch a reply: %s", error)
            self.start_over()

    async def _watch(self, frame: Frame) -> None:
        reply_id, is_open = await self._whether_open(frame.get("reply"))
        if is_open:
            is_decided = await hub().watch_reply(reply_id, self, frames.offset(frame))
            # A decision that comes after watching has begun is told by the hub.
            told = await decided_frames(reply_id, self.language) if is_decided else []
        else:
            told = await finished_frames(reply_id, self.language)
        for one in told:
            self.deliver(one)

    async def _detach(self, frame: Frame) -> None:
        reply_id, _ = await in_thread(access.whether_open_or_404)(self.user, frame.get("reply"))
        hub().leave_reply(reply_id, self)

    async def _whether_open(self, reply: Any) -> tuple[UUID, bool]:
        """As `access.whether_open_or_404`; of the reply that the tab itself has just caused, the hub finds out.

        Its first words must not wait until the database has done what others have asked for.
        """
        if reply and reply == self._asked_for:
            self._asked_for = ""
            return UUID(reply), True
        return await in_thread(access.whether_open_or_404)(self.user, reply)

    async def _catch_up(self, frame: Frame) -> None:
        news_id = Cursor.parse(frames.text(frame, "after")).news
        if news_id and not self._has_caught_up:  # it reads what everybody was told: once is enough
            self._has_caught_up = True
            await hub().tell_news_since(news_id, self.user.pk, self)

    def _refuse(self, code: str, text: str, frame: Frame, **facts: Any) -> None:
        answer = {"type": "error", "code": code, "text": text, **facts}
        self.deliver(answer | {key: frame[key] for key in ("client_id", "reply") if isinstance(frame.get(key), str)})


def _when(error: RefusedError) -> dict[str, int]:
    return {"retry_after": error.retry_after} if isinstance(error, BusyError) else {}


@in_thread
def _new(ask: Callable[[], Turn], *, with_message: bool) -> list[Frame]:
    """Ask for an answer, and what is to be told of it: one errand, since each way to a thread and back is a wait."""
    return news.frames(ask(), with_message=with_message)
