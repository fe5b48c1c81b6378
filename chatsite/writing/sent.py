"""What a person has sent before, to be taken up again with the arrow keys."""

from __future__ import annotations

from typing import Any

from django.db.models.functions import Length

from chatsite.chat import access
from chatsite.chat.models import Message

MOST = 60  # of this conversation, and as many of the others
LONGEST = 4_000  # characters; nobody leafs for a pasted book


def sent(user: Any, conversation_id: Any = None) -> list[str]:
    """The person's messages, newest first: those of the conversation, then those of their others. Raises `Http404`."""
    own = (
        Message.objects.filter(user=user, role=Message.Role.USER, conversation__deleted_at=None)
        .exclude(text="")
        .order_by("-created_at")
    )
    short = own.annotate(length=Length("text")).filter(length__lte=LONGEST)
    here = access.conversation_or_404(user, conversation_id) if conversation_id else None
    said_here = short.filter(conversation=here).values_list("text", flat=True)[:MOST] if here else []
    elsewhere = short.exclude(conversation=here).values_list("text", flat=True)[:MOST]
    return list(dict.fromkeys([*said_here, *elsewhere]))
