"""What the tabs of a person are told when an answer has come to its end.

Workers and the reaper do that too. So nothing is rendered here: what renders is a lot to load for each of them.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from chatsite.chat import feed
from chatsite.chat.models import Conversation
from workers.jobs import Job
from workers.prepared import prepared


def tell(job: Job, **_: Any) -> None:
    """Unless the person has ended it, they have not seen it yet, wherever they are. Nothing is told of deleted ones."""
    for conversation in _told_of(job.reply_id):
        _tell(job, conversation)


@prepared
def _told_of(reply_id: UUID) -> QuerySet[Conversation]:
    return Conversation.objects.filter(turns=reply_id, deleted_at=None)


def _tell(job: Job, conversation: Conversation) -> None:
    where = {"conversation": str(conversation.pk), "reply": str(job.reply_id)}
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
