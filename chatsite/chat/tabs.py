"""A browser tab, whichever way its frames travel: checks what it asks for, calls one service, says what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any, TypeVar
from uuid import UUID

import orjson
from django.conf import settings
from django.contrib.auth import get_user
from django.http import Http404, HttpRequest
from django.utils import translation

from chatsite.chat import (
    access,
    admission,
    branches,
    comparing,
    conversations,
    corrections,
    feed,
    news,
    notices,
    previewing,
    ratings,
    turns,
)
from chatsite.chat.cursors import Cursor
from chatsite.chat.hub import Frame, decided_frames, finished_frames, hub
from chatsite.chat.models import Turn
from chatsite.chat.refusals import BusyError, RefusedError
from chatsite.chat.threads import at_once, in_thread
from workers import tracing
from workers.events import Offset
from workers.logs import about

logger = logging.getLogger(__name__)

WAITING_FRAMES = 2000  # for a tab that does not read: beyond them it has to start over
ANSWERED = ("send", "edit", "again", "continue", "compare", "correct")  # frames that a reply comes of
PREVIEW_SECONDS = 0.2  # between two previews of a tab
TAG_CHARACTERS = 40

Asked = TypeVar("Asked")


class Tab:
    """A browser tab of a person, and what it may ask for; how frames travel is for those who inherit this.

    Frames are JSON objects with a `type`; docs/protocol.md lists them.
    """

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
        frame: dict[str, Any] = {}
        try:
            frame = _parse(text)
            kind = frame.get("type")
            traced = tracing.asked(f"socket {kind}") if kind in ANSWERED else contextlib.nullcontext()
            with about(**_subject(frame)), traced:
                await self._dispatch(frame)
        except RefusedError as error:
            self._refuse(error.code, error.text, frame, **_when(error))
        except Http404:
            self._refuse("not_found", notices.text("not_found"), frame)
        except Exception:  # the database is away, its disk is full: the person must hear of it where they are
            logger.exception("A frame of the type %.40r failed", frame.get("type"), extra=_subject(frame))
            self._refuse("not_now", notices.text("not_now"), frame)

    async def _dispatch(self, frame: dict[str, Any]) -> None:
        match frame.get("type"):
            case "send":
                await self._submit(frame)
            case "edit":
                client_id, text = _client_id(frame), _text(frame, "text")
                edit = partial(turns.edit, self.user, message_id=frame.get("message"), text=text, client_id=client_id)
                await self._have_answered(edit, client_id, with_message=True)
            case "again":
                again = partial(turns.again, self.user, **_another(frame))
                await self._have_answered(again, _client_id(frame), with_message=False)
            case "continue":
                more = partial(turns.continue_answer, self.user, reply_id=frame.get("reply"))
                await self._have_answered(more, _client_id(frame), with_message=True)
            case "compare":
                compare = partial(comparing.compare, self.user, **_another(frame))
                await in_thread(await self._unless_full(compare))()
            case "correct":
                await self._correct(frame)
            case "rate":
                await in_thread(ratings.rate)(
                    self.user,
                    reply_id=frame.get("reply"),
                    value=_text(frame, "rating"),
                    reason=_optional(frame, "reason"),
                )
            case "choose":
                await in_thread(branches.choose)(self.user, message_id=frame.get("message"))
            case "attach":
                await self._attach(frame)
            case "detach":
                reply_id, _ = await in_thread(access.whether_open_or_404)(self.user, frame.get("reply"))
                hub().leave_reply(reply_id, self)
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

    async def _submit(self, frame: dict[str, Any]) -> None:
        client_id = _client_id(frame)
        submit = partial(
            turns.submit,
            self.user,
            text=_text(frame, "text"),
            conversation_id=frame.get("conversation") or None,
            client_id=client_id,
            wanted_route=_text(frame, "route"),
            files=_files(frame),
            waits=frame.get("waits") is True,
        )
        await self._have_answered(submit, client_id, with_message=True)

    async def _correct(self, frame: dict[str, Any]) -> None:
        correct = partial(
            corrections.correct, self.user, reply_id=frame.get("reply"), wanted_route=_text(frame, "route")
        )
        corrected = await in_thread(await self._unless_full(correct))()
        await self._tell(await _new(lambda: corrected.turn, with_message=False), None)
        if corrected.text:
            self.deliver({"type": "corrected", "reply": frame.get("reply"), "text": corrected.text})

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

    async def _tell(self, frame: Frame, client_id: UUID | None) -> None:
        """Tell the sender that it is saved, and every tab of the person (this one too) what is new."""
        accepted = {key: frame[key] for key in ("conversation", "url", "reply")}
        self._asked_for = frame["reply"]
        self.deliver({"type": "accepted", "client_id": client_id and str(client_id), **accepted})
        self.deliver(frame)
        await asyncio.to_thread(feed.tell, self.user.pk, frame)

    async def _preview(self, frame: dict[str, Any]) -> None:
        """Say where a message that is being typed would go. One that comes too soon or is too long has no answer."""
        text, files = _text(frame, "text").strip(), _files(frame)
        if not (text or files) or len(text) > previewing.MAX_CHARACTERS or not await self._may_preview():
            return
        conversation, tag = _text(frame, "conversation"), _text(frame, "tag")[:TAG_CHARACTERS]
        await asyncio.to_thread(
            previewing.ask, self.user, text=text, conversation_id=conversation, files=files, tag=tag
        )

    async def _may_preview(self) -> bool:
        now = time.monotonic()
        if now - self._previewed_at < PREVIEW_SECONDS:
            return False
        self._previewed_at = now
        return True

    async def _attach(self, frame: dict[str, Any]) -> None:
        reply_id, is_open = await self._whether_open(frame.get("reply"))
        if is_open:
            is_decided = await hub().watch_reply(reply_id, self, _offset(frame))
            # A decision that comes after watching has begun is told by the hub.
            frames = await decided_frames(reply_id, self.language) if is_decided else []
        else:
            frames = await finished_frames(reply_id, self.language)
        for one in frames:
            self.deliver(one)

    async def _whether_open(self, reply: Any) -> tuple[UUID, bool]:
        """As `access.whether_open_or_404`; of the reply that the tab itself has just caused, the hub finds out.

        Its first words must not wait until the database has done what others have asked for.
        """
        if reply and reply == self._asked_for:
            self._asked_for = ""
            return UUID(reply), True
        return await in_thread(access.whether_open_or_404)(self.user, reply)

    async def _catch_up(self, frame: dict[str, Any]) -> None:
        news_id = Cursor.parse(_text(frame, "after")).news
        if news_id and not self._has_caught_up:  # it reads what everybody was told: once is enough
            self._has_caught_up = True
            await hub().tell_news_since(news_id, self.user.pk, self)

    def _refuse(self, code: str, text: str, frame: dict[str, Any], **facts: Any) -> None:
        answer = {"type": "error", "code": code, "text": text, **facts}
        self.deliver(answer | {key: frame[key] for key in ("client_id", "reply") if isinstance(frame.get(key), str)})


def _when(error: RefusedError) -> dict[str, int]:
    return {"retry_after": error.retry_after} if isinstance(error, BusyError) else {}


@in_thread
def _new(ask: Callable[[], Turn], *, with_message: bool) -> Frame:
    """Ask for an answer, and what is to be told of it: one errand, since each way to a thread and back is a wait."""
    return news.turn_frame(ask(), with_message=with_message)


@in_thread
def is_signed_in(session_key: str) -> bool:
    """Whether a tab's own session still stands, as the database says now."""
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    return get_user(request).is_authenticated


def _parse(text: str | None) -> dict[str, Any]:
    """A frame as a mapping. Raises `RefusedError` for anything else: binary data, broken JSON, no object."""
    with contextlib.suppress(orjson.JSONDecodeError):
        frame = orjson.loads(text or "")
        if isinstance(frame, dict):
            return frame
    raise RefusedError("bad_frame")


def _text(frame: dict[str, Any], key: str) -> str:
    value = frame.get(key) or ""
    if not isinstance(value, str):
        raise RefusedError("bad_frame")
    return value


def _optional(frame: dict[str, Any], key: str) -> str | None:
    return None if frame.get(key) is None else _text(frame, key)


def _another(frame: dict[str, Any]) -> dict[str, Any]:
    """Which answer there is, and by what another one is wished for."""
    return {
        "reply_id": frame.get("reply"),
        "wanted_route": _text(frame, "route"),
        "wanted_model": _text(frame, "model"),
    }


def _files(frame: dict[str, Any]) -> list[str]:
    """The ids of files, of which there can be no more than a message may have."""
    ids = frame.get("files") or []
    if not isinstance(ids, list) or not all(isinstance(each, str) for each in ids):
        raise RefusedError("bad_frame")
    if len(ids) > settings.FILES_PER_MESSAGE:
        raise RefusedError("too_many_files", most=settings.FILES_PER_MESSAGE)
    return ids


def _client_id(frame: dict[str, Any]) -> UUID | None:
    value = _text(frame, "client_id")
    try:
        return UUID(value) if value else None
    except ValueError:
        raise RefusedError("bad_frame") from None


def _subject(frame: dict[str, Any]) -> dict[str, str]:
    """Which reply the frame is about, for the log, where only a real id may stand."""
    try:
        return {"reply_id": str(UUID(frame["reply"]))}
    except (KeyError, ValueError, AttributeError, TypeError):
        return {}


def _offset(frame: dict[str, Any]) -> Offset | None:
    value = _text(frame, "after")
    try:
        return Offset.parse(value) if value else None
    except ValueError:
        raise RefusedError("bad_frame") from None
