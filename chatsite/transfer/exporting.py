"""Conversations as files: for people as Markdown, for programs as JSON, from which they can be imported again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import orjson
from asgiref.sync import sync_to_async
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import slugify
from django.utils.translation import gettext as _

from chatsite.accounts.models import Preferences
from chatsite.chat import access, presenting
from chatsite.chat.models import Conversation, Message, Turn

FORMAT, VERSION = "switchyard", 1


def file_name(conversation: Conversation, ending: str) -> str:
    """What the file of a conversation is called."""
    return f"{slugify(str(conversation), allow_unicode=True)[:60] or 'conversation'}.{ending}"


def markdown(conversation: Conversation) -> str:
    """What the page of a conversation shows, to be read."""
    parts = [f"# {_on_one_line(str(conversation))}"]
    for entry in presenting.entries(conversation):
        is_answer = entry.role == Message.Role.ASSISTANT
        facts = " · ".join(filter(None, (_("imported") if entry.is_imported else "", entry.route, entry.model)))
        heading = _("Answer") if is_answer else _("You")
        parts += [f"## {heading}" + (f" ({_on_one_line(facts)})" if facts else ""), (entry.text + entry.rest).strip()]
    exported = date_format(timezone.localtime(), "DATETIME_FORMAT")
    parts += ["---", _("Exported from Switchyard, {when}.").format(when=exported)]
    return "\n\n".join(filter(None, parts)) + "\n"


def as_json(conversation: Conversation) -> bytes:
    """A conversation with all its branches, as a file that can be imported."""
    return _head() + orjson.dumps(data(conversation), option=orjson.OPT_INDENT_2) + b"\n]}\n"


async def all_as_json(user: Any) -> AsyncIterator[bytes]:
    """All that there is of a person, in one file: the account, and one conversation after the other."""
    yield _head(account=await sync_to_async(_account)(user))
    separator = b""
    for pk in await sync_to_async(_ids)(user):
        if one := await sync_to_async(_dumped)(user, pk):
            yield separator + one
            separator = b",\n"
    yield b"\n]}\n"


def _account(user: Any) -> dict[str, Any]:
    """What the site knows of a person besides their conversations; but not the hash of their password."""
    corrections = user.corrections.order_by("filed_at").values("text", "wanted_route", "state", "filed_at")
    return {
        "name": user.get_username(),
        "first_name": user.first_name,
        "last_name": user.last_name,
        "email": user.email,
        "joined_at": user.date_joined,
        "last_sign_in_at": user.last_login,
        "language": Preferences.objects.filter(user=user).values_list("language", flat=True).first() or "",
        "groups": [group.name for group in user.groups.all()],
        "corrections": list(corrections),
    }


def data(conversation: Conversation) -> dict[str, Any]:
    """A conversation as data. Times are ISO 8601, ids are those of this installation."""
    facts = ("turn__decision", "turn__completion__model", "turn__completion__answered_by")
    messages = conversation.messages.select_related(*facts).defer("turn__completion__prompt")
    messages = messages.prefetch_related("turn__ratings", "attachments").order_by("created_at")
    return {
        "id": conversation.pk,
        "title": conversation.title,
        "created_at": conversation.created_at,
        "updated_at": conversation.updated_at,
        "pinned_at": conversation.pinned_at,
        "archived_at": conversation.archived_at,
        "tags": [tag.name for tag in conversation.tags.all()],
        "leaf": conversation.leaf_id,
        "messages": [_message(message) for message in messages],
    }


def _message(message: Message) -> dict[str, Any]:
    common = {"id": message.pk, "parent": message.parent_id, "role": message.role, "created_at": message.created_at}
    if message.role == Message.Role.ASSISTANT:
        return common | _answer(message.turn)
    return common | {"text": message.text, "files": [file.name for file in message.attachments.all()]}


def _answer(turn: Turn) -> dict[str, Any]:
    completion, decision = turn.completion, turn.decision
    model = completion and (completion.answered_by or completion.model)
    imported = turn.imported or {}
    return {
        "text": completion.text if completion else "",
        "status": turn.answer.status,
        "is_imported": turn.imported is not None,
        "route": decision.route if decision else imported.get("route"),
        "strategy": decision.strategy if decision else None,
        "model": model.name if model else imported.get("model"),
        "usage": completion.usage() if completion else None,
        "ratings": [{"value": rating.value, "reason": rating.reason} for rating in turn.ratings.all()],
    }


def _ids(user: Any) -> list[UUID]:
    return list(access.conversations(user).order_by("created_at", "pk").values_list("pk", flat=True))


def _dumped(user: Any, pk: UUID) -> bytes:
    """One conversation, if it has not been deleted meanwhile."""
    found = access.conversations(user).filter(pk=pk).first()
    return orjson.dumps(data(found)) if found else b""


def _head(**more: Any) -> bytes:
    head = {"format": FORMAT, "version": VERSION, "exported_at": timezone.now(), **more}
    return orjson.dumps(head)[:-1] + b', "conversations": [\n'


def _on_one_line(text: str) -> str:
    return " ".join(text.split())
