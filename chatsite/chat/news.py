"""What the tabs of a person are told of a message or an answer that is new."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from chatsite.chat import branches, feed, listing, presenting
from chatsite.chat.frames import Frame
from chatsite.chat.models import Conversation, Turn
from workers.prepared import prepared

# Of the HTML of one: news are kept for everybody in one place for a while, in the memory of Redis.
LONGEST = 20_000  # characters


def frames(turn: Turn, *, with_message: bool) -> list[Frame]:
    """What the tab that has asked for an answer is told. The last of it is the news for all tabs of the person.

    Who asks twice is given the answer that there is: by now the conversation may have gone on, or show another branch.
    """
    frame, conversation = _turn_frame(turn, with_message=with_message), turn.conversation
    is_at_the_end = turn.pk in (conversation.leaf_id, conversation.beside_id)
    return [frame] if is_at_the_end else [frame, branches.frame(conversation)]


def _turn_frame(turn: Turn, *, with_message: bool) -> Frame:
    """A pending answer, with its message if that is new too, and the message after which it stands."""
    render = presenting.render_turn if with_message else presenting.render_reply
    parent_id = turn.message.parent_id if with_message else turn.message_id
    for conversation in _as_it_stands(turn.conversation_id):
        turn.conversation = conversation
    return {
        "type": "turn",
        "conversation": str(turn.conversation_id),
        "url": f"/c/{turn.conversation_id}/",
        "title": str(turn.conversation),
        "item": listing.item(turn.conversation),
        "reply": str(turn.pk),
        "parent": str(parent_id) if parent_id else None,
        "html": render(turn),
    }


@prepared
def _as_it_stands(conversation_id: UUID) -> QuerySet[Conversation]:
    """Much can have happened to it while the message waited to be saved."""
    return Conversation.objects.select_related("user").filter(pk=conversation_id)


def tell(user_id: Any, turn: Turn, *, with_message: bool) -> None:
    """Tell every tab of the person."""
    tell_all(user_id, frames(turn, with_message=with_message))


def tell_all(user_id: Any, told: list[Frame]) -> None:
    """Tell every tab of the person what one of them is told; what is long is left to them to fetch."""
    frame = told[-1]
    feed.tell(user_id, {**frame, "html": ""} if len(frame.get("html", "")) > LONGEST else frame)
