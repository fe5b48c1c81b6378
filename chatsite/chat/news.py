"""What the tabs of a person are told of a message or an answer that is new."""

from __future__ import annotations

from typing import Any

from chatsite.chat import feed, listing, presenting
from chatsite.chat.frames import Frame
from chatsite.chat.models import Turn


def turn_frame(turn: Turn, *, with_message: bool) -> Frame:
    """A pending answer, with its message if that is new too, and the message after which it stands."""
    render = presenting.render_turn if with_message else presenting.render_reply
    parent_id = turn.message.parent_id if with_message else turn.message_id
    # Much can have happened to it while the message waited to be saved.
    turn.conversation.refresh_from_db(fields=["title", "pinned_at", "ready_at"])
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


def tell(user_id: Any, turn: Turn, *, with_message: bool) -> None:
    """Tell every tab of the person."""
    feed.tell(user_id, turn_frame(turn, with_message=with_message))
