"""The task that reads a file, in a worker. The turns that have waited for it are published afterwards."""

from __future__ import annotations

import logging
from typing import Any

from celery import shared_task
from celery.signals import worker_ready

from chatsite.chat import feed
from chatsite.chat.models import Turn
from chatsite.documents.models import Attachment
from workers import attempts, presence, reading
from workers.jobs import Job

logger = logging.getLogger(__name__)


@shared_task(name="documents.read_attachment")
def read_attachment(attachment_id: str, attempt: int) -> None:
    """Read one attempt of a file, if it is still waiting."""
    with attempts.claimed(Attachment, attachment_id, attempt) as held:
        if held:
            attachment, _ = held
            _read(attachment)
            _release(attachment)


@worker_ready.connect
def get_ready(sender: Any, **kwargs: Any) -> None:
    """Say that the queue of files is served, if it is."""
    if Attachment.queue in sender.app.amqp.queues.consume_from:
        presence.own.announce([Attachment.queue])


def _read(attachment: Attachment) -> None:
    try:
        found = reading.read(attachment.kind, bytes(attachment.content.data))
    except reading.UnreadableError as error:
        logger.info("A file of the kind %s could not be read: %s", attachment.kind, error.code)
        attachment.close(Job.Status.FAILED, error_code=error.code)
    else:
        attachment.close(Job.Status.DONE, text=found.text, pages=found.pages, is_cut=found.is_cut)


def _release(attachment: Attachment) -> None:
    """If it has been sent in the meantime: publish the turns that have waited, and say in the message what is wrong."""
    sent = Attachment.objects.filter(pk=attachment.pk).exclude(message=None).values_list("message", "conversation")
    for message, conversation in sent:
        for turn in Turn.all_open().filter(message=message, status=Job.Status.QUEUED).exclude(released_at=None):
            if not Attachment.is_waited_for(turn.pk):
                turn.publish()
        if attachment.status == Job.Status.FAILED:
            feed.tell(attachment.owner_id, {"type": "branch", "conversation": str(conversation)})
