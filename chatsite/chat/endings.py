"""What the tabs of a person are told when an answer has come to its end.

Workers and the reaper do that too. So nothing is rendered here: what renders is a lot to load for each of them.
"""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from chatsite.chat import feed
from chatsite.chat.models import Conversation, Turn
from workers.jobs import Job


def tell(job: Job, **_: Any) -> None:
    """Unless the person has ended it, they have not seen it yet, wherever they are. Nothing is told of deleted ones."""
    turns = Turn.objects.select_related("conversation").filter(conversation__deleted_at=None)
    if (turn := turns.filter(pk=job.reply_id).first()) is None:
        return
    conversation = turn.conversation
    where = {"conversation": str(conversation.pk), "reply": str(turn.pk)}
    if job.status == Job.Status.CANCELLED:
        feed.tell(conversation.user_id, {"type": "stopped", **where})
        return
    Conversation.objects.filter(pk=conversation.pk).update(ready_at=timezone.now())
    frame = {
        "type": "ready",
        **where,
        "url": f"/c/{conversation.pk}/",
        "title": str(conversation),
        "status": job.status,
    }
    feed.tell(conversation.user_id, frame)
