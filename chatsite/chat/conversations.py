"""What a person can do to a whole conversation: rename it, delete it."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from chatsite.chat import access, turns
from chatsite.chat.models import Conversation
from router.models import Decision
from workers.models import Completion


def rename(user: Any, *, conversation_id: Any, title: str) -> Conversation:
    """Give a conversation another title, on one line and cut to size; an empty one changes nothing."""
    conversation = access.conversation_or_404(user, conversation_id)
    if title := " ".join(title.split())[: Conversation._meta.get_field("title").max_length]:
        conversation.title = title
        conversation.save(update_fields=["title"])
    return conversation


def delete(user: Any, *, conversation_id: Any) -> None:
    """Delete a conversation with everything that was said, decided and answered in it; open answers are stopped."""
    conversation = access.conversation_or_404(user, conversation_id)
    for turn in conversation.turns.select_related("completion"):
        if turn.answer.is_open:
            turns.stop(user, reply_id=turn.pk)
    with transaction.atomic():
        turns_of_it = list(conversation.turns.all())
        conversation.delete()
        Completion.objects.filter(pk__in=[turn.completion_id for turn in turns_of_it if turn.completion_id]).delete()
        Decision.objects.filter(pk__in=[turn.decision_id for turn in turns_of_it if turn.decision_id]).delete()
