"""Files that people attach to their messages, and the text that was read out of them."""

from __future__ import annotations

import uuid
from typing import Any

from celery import Task
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from workers.jobs import Job
from workers.prepared import prepared


class Attachment(Job):
    """One file of one person. As a job, it is that of reading it.

    Until it is sent it belongs to the draft of a conversation, or of a new one.
    """

    class Kind(models.TextChoices):
        TEXT = "text"
        MARKDOWN = "markdown"
        CSV = "csv"
        HTML = "html"
        PDF = "pdf"
        DOCX = "docx"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="attachments")
    conversation = models.ForeignKey(
        "chat.Conversation",
        null=True,
        on_delete=models.CASCADE,
        related_name="attachments",
        help_text="None: a new one.",
    )
    message = models.ForeignKey(
        "chat.Message", null=True, on_delete=models.CASCADE, related_name="attachments", help_text="None: not sent yet."
    )
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    size = models.PositiveIntegerField(help_text="Bytes.")
    sha256 = models.CharField(max_length=64)
    text = models.TextField(blank=True)
    pages = models.PositiveIntegerField(null=True)
    is_cut = models.BooleanField(default=False, help_text="Whether the file has more text than is kept.")
    created_at = models.DateTimeField(default=timezone.now)

    queue = "files"  # with workers of its own: no answer waits behind a long file, and their slots bound the memory

    class Meta(Job.Meta):
        ordering = ["created_at", "id"]
        constraints = [
            *Job.Meta.constraints,
            models.CheckConstraint(name="a_file_is_not_empty", condition=Q(size__gt=0)),
            models.CheckConstraint(name="a_file_that_was_read_has_a_text", condition=~Q(status="done") | ~Q(text="")),
        ]

    def __str__(self) -> str:
        return self.name

    @classmethod
    def is_waited_for(cls, reply_id: Any) -> bool:
        """Whether the message of a turn has files that nobody has read yet."""
        return bool(_unread_of(reply_id))

    @classmethod
    def with_queues(cls, jobs: models.QuerySet[Attachment]) -> models.QuerySet[Attachment]:
        return jobs.defer("text")

    @property
    def reply_id(self) -> uuid.UUID:  # type: ignore[override]
        """Reading writes no reply; its own id names its lease."""
        return self.id

    @property
    def task(self) -> Task:
        from chatsite.documents.tasks import read_attachment

        return read_attachment


@prepared
def _unread_of(reply_id: Any) -> models.QuerySet[Attachment, Any]:
    return Attachment.all_open().filter(message__turns=reply_id).order_by().values_list("pk")[:1]


class Content(models.Model):
    """The bytes of a file, apart from what is looked at all the time. Nobody is ever served them as a page."""

    attachment = models.OneToOneField(Attachment, primary_key=True, on_delete=models.CASCADE, related_name="content")
    data = models.BinaryField()

    def __str__(self) -> str:
        return f"the bytes of {self.attachment_id}"
