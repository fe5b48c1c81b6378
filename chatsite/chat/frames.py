"""Frames, in which a tab and the site talk: JSON objects with a `type`. Here, those of a tab are read and checked.

docs/protocol.md lists all of them. Whatever is wrong with a tab's raises `RefusedError`.
"""

from __future__ import annotations

import contextlib
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings

from chatsite.chat.refusals import RefusedError
from workers.events import Offset

Frame = dict[str, Any]

LONGEST_ID = 36  # characters
# Brackets, of which a tab sends one or two besides those that people write. The event loop would make lists of millions
# of them for ten seconds, and half a gigabyte, before anybody sees that there is nothing in them.
MOST_BRACKETS = 1_000_000


def parse(text: str | None) -> Frame:
    """A frame from what came; not from binary data (None), broken JSON, what is no object, or hardly anything else."""
    text = text or ""
    if text.count("[") + text.count("{") <= MOST_BRACKETS:
        with contextlib.suppress(orjson.JSONDecodeError):
            frame = orjson.loads(text)
            if isinstance(frame, dict):
                return frame
    raise RefusedError("bad_frame")


def text(frame: Frame, key: str) -> str:
    """The text under a key; empty where there is none."""
    value = frame.get(key) or ""
    if not isinstance(value, str):
        raise RefusedError("bad_frame")
    return value


def text_if_any(frame: Frame, key: str) -> str | None:
    """The text under a key; None where there is none."""
    return None if frame.get(key) is None else text(frame, key)


def identity(frame: Frame, key: str) -> str:
    """What may be the id of something, under a key; empty where there is none."""
    value = text(frame, key)
    if len(value) > LONGEST_ID:
        raise RefusedError("bad_frame")
    return value


def files(frame: Frame) -> list[str]:
    """The ids of files, of which there can be no more than a message may have."""
    ids = frame.get("files") or []
    if not isinstance(ids, list) or not all(isinstance(each, str) and len(each) <= LONGEST_ID for each in ids):
        raise RefusedError("bad_frame")
    if len(ids) > settings.FILES_PER_MESSAGE:
        raise RefusedError("too_many_files", most=settings.FILES_PER_MESSAGE)
    return ids


def another_answer(frame: Frame) -> dict[str, Any]:
    """Which answer there is, and by what another one is wished for."""
    return {
        "reply_id": frame.get("reply"),
        "wanted_route": text(frame, "route"),
        "wanted_model": text(frame, "model"),
    }


def client_id(frame: Frame) -> UUID | None:
    """The id that the tab has made for what it sends."""
    value = text(frame, "client_id")
    try:
        return UUID(value) if value else None
    except ValueError:
        raise RefusedError("bad_frame") from None


def offset(frame: Frame) -> Offset | None:
    """The last offset that the tab has of a reply."""
    value = text(frame, "after")
    try:
        return Offset.parse(value) if value else None
    except ValueError:
        raise RefusedError("bad_frame") from None


def subject(frame: Frame) -> dict[str, str]:
    """Which reply the frame is about, for the log, where only a real id may stand. Never raises."""
    try:
        return {"reply_id": str(UUID(frame["reply"]))}
    except (KeyError, ValueError, AttributeError, TypeError):
        return {}
