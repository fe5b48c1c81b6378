"""What a message says with its files: to the router as one text, to the model with each file under its name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from chatsite.chat.models import Message
from chatsite.documents.attachments import unsent_of
from chatsite.documents.models import Attachment
from workers.jobs import Job
from workers.prompts import Attached


def attached_to(message: Message) -> list[Attached]:
    """The files of a message that could be read, in their order."""
    return of([message])[message.pk]


def of(messages: Iterable[Message]) -> dict[UUID, list[Attached]]:
    """The files of several messages, by message. No query where none has any."""
    found: dict[UUID, list[Attached]] = {message.pk: [] for message in messages}
    counted = [message.pk for message in messages if message.attachment_count]
    for attachment in Attachment.objects.filter(message__in=counted, status=Job.Status.DONE) if counted else ():
        if attachment.message_id:
            found[attachment.message_id].append(_attached(attachment))
    return found


def in_draft(user: Any, ids: Iterable[str]) -> list[Attached] | None:
    """The files that a message would have that is being written; None while one of them is being read."""
    found = list(unsent_of(user, ids))
    if any(attachment.is_open for attachment in found):
        return None
    return [_attached(attachment) for attachment in found if attachment.status == Job.Status.DONE]


def _attached(attachment: Attachment) -> Attached:
    return Attached(attachment.name, attachment.text, attachment.kind)
