"""Looking for words in all that a person wrote and got."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models.functions import Coalesce
from django.utils.safestring import SafeString

from chatsite.chat import access, keys
from chatsite.chat.models import Conversation, Message
from chatsite.search import index
from chatsite.search.marking import excerpt, mark
from chatsite.search.models import Entry
from chatsite.search.terms import Term, parse

PAGE = 20


@dataclass(frozen=True)
class Hit:
    """One place. Without a message it is the title itself that was found, and there is no `excerpt`."""

    conversation: Conversation
    title: SafeString
    excerpt: SafeString
    message_id: UUID | None
    is_answer: bool
    file_name: SafeString  # of the file in which it stands; empty: in none
    at: datetime


@dataclass(frozen=True)
class Hits:
    """A page of what was found, the newest first. `older` is the key of the next page; empty: there is none."""

    hits: list[Hit]
    older: str = ""


def search(user: Any, text: str, *, before: str = "") -> Hits:
    """What of a person's conversations has all the words of `text`, the archived ones included."""
    terms = parse(text)
    if not terms:
        return Hits([])
    rows = (
        Entry.objects.filter(index.found(user.pk, terms), conversation__in=access.conversations(user))
        .annotate(at=Coalesce("message__created_at", "conversation__updated_at"))
        .select_related("conversation", "message", "attachment")
        .defer("attachment__text")
        .order_by("-at", "-pk")
    )
    rest = keys.after(before, rows, "at", int)
    found = list((rows if rest is None else rest)[: PAGE + 1])
    older = keys.make(found[PAGE - 1].at, found[PAGE - 1].pk) if len(found) > PAGE else ""
    return Hits([_hit(entry, terms) for entry in found[:PAGE]], older)


def _hit(entry: Entry, terms: Sequence[Term]) -> Hit:
    message = entry.message
    return Hit(
        conversation=entry.conversation,
        title=mark(str(entry.conversation), terms),
        excerpt=excerpt(entry.text, terms) if message else SafeString(),
        message_id=message.pk if message else None,
        file_name=mark(entry.attachment.name, terms) if entry.attachment else SafeString(),
        is_answer=message is not None and message.role == Message.Role.ASSISTANT,
        at=message.created_at if message else entry.conversation.updated_at,
    )
