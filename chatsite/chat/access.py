"""The only ways to fetch a conversation or a reply by id: with the person who asks.

What belongs to somebody else does not exist.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import QuerySet
from django.http import Http404

from chatsite.chat.models import Conversation, Turn

Person = AbstractBaseUser | AnonymousUser


def conversations(user: Person) -> QuerySet[Conversation]:
    """The person's conversations, newest first."""
    return Conversation.objects.filter(user_id=user.pk) if user.is_authenticated else Conversation.objects.none()


def conversation_or_404(user: Person, conversation_id: Any) -> Conversation:
    """Raises `Http404` for an id that is malformed, unknown or somebody else's."""
    found = conversations(user).filter(pk=_uuid(conversation_id)).first()
    if found is None:
        raise Http404("No such conversation.")
    return found


def reply_or_404(user: Person, reply_id: Any) -> Turn:
    """The turn of a reply. Raises `Http404` for an id that is malformed, unknown or somebody else's."""
    turns = Turn.objects.select_related(
        "completion__model", "completion__answered_by", "decision__revision", "reply", "message", "conversation"
    )
    found = turns.filter(pk=_uuid(reply_id), conversation__in=conversations(user)).first()
    if found is None:
        raise Http404("No such reply.")
    return found


def _uuid(value: Any) -> UUID:
    try:
        return value if isinstance(value, UUID) else UUID(str(value))
    except ValueError:
        raise Http404("No such id.") from None
