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

from chatsite.chat import access, presenting
from chatsite.chat.models import Conversation, Message, Turn
from chatsite.documents.models import Attachment
from chatsite.sharing.models import Share
from chatsite.transfer import account

FORMAT, VERSION = "switchyard", 2


def file_name(conversation: Conversation, ending: str) -> str:
    """What the file of a conversation is called."""
    return f"{slugify(str(conversation), allow_unicode=True)[:60] or 'conversation'}.{ending}"


def markdown(conversation: Conversation) -> str:
    """What the page of a conversation shows, to be read."""
    files = Attachment.objects.filter(message__conversation=conversation).in_bulk()
    parts = [f"# {_on_one_line(str(conversation))}"]
    for entry in presenting.entries(conversation):
        is_answer = entry.role == Message.Role.ASSISTANT
        facts = " · ".join(filter(None, (_("imported") if entry.is_imported else "", entry.route, entry.model)))
        heading = _("Answer") if is_answer else _("You")
        parts += [f"## {heading}" + (f" ({_on_one_line(facts)})" if facts else "")]
        parts += [_quoted(files[chip.id]) for chip in entry.files]
        parts += [(entry.text + entry.rest).strip()]
    exported = date_format(timezone.localtime(), "DATETIME_FORMAT")
    parts += ["---", _("Exported from Switchyard, {when}.").format(when=exported)]
    return "\n\n".join(filter(None, parts)) + "\n"


def _quoted(file: Attachment) -> str:
    """A file in a block of its own, out of which nothing in it leads."""
    lines = [
        _("File: {name}").format(name=_on_one_line(file.name)),
        *([""] if file.text else []),
        *file.text.splitlines(),
    ]
    return "\n".join(f"> {line}".rstrip() for line in lines)


def as_json(conversation: Conversation) -> bytes:
    """A conversation with all its branches, as a file that can be imported."""
    return _head() + orjson.dumps(data(conversation), option=orjson.OPT_INDENT_2) + b"\n]}\n"


async def all_as_json(user: Any) -> AsyncIterator[bytes]:
    """All that there is of a person, in one file: the account, and one conversation after the other."""
    yield _head(account=await sync_to_async(account.known_of)(user))
    separator = b""
    for pk in await sync_to_async(_ids)(user):
        if one := await sync_to_async(_dumped)(user, pk):
            yield separator + one
            separator = b",\n"
    yield b"\n]}\n"


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
        "shared": Share.objects.filter(conversation=conversation)
        .values("title", "leaf", "ends_on_purpose", "created_at", "taken_at")
        .first(),
        "messages": [_message(message) for message in messages],
    }


def _message(message: Message) -> dict[str, Any]:
    common = {"id": message.pk, "parent": message.parent_id, "role": message.role, "created_at": message.created_at}
    if message.role == Message.Role.ASSISTANT:
        return common | _answer(message.turn)
    return common | {"text": message.text, "files": [_file(file) for file in message.attachments.all()]}


def _file(file: Attachment) -> dict[str, Any]:
    """A file with the text that was read out of it; as it was, it is saved from its message."""
    return {
        "name": file.name,
        "kind": file.kind,
        "size": file.size,
        "pages": file.pages,
        "text": file.text,
        "is_cut": file.is_cut,
    }


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
