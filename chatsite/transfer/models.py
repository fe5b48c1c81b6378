"""Files that are being imported, and where imported conversations come from."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any, ClassVar

from celery import Task
from django.conf import settings
from django.db import models
from django.db.models import Q

from chatsite.chat.models import Conversation
from chatsite.routing.queue import BACKGROUND
from workers.jobs import Job


class Import(Job):
    """A file of conversations that a person has handed in.

    Its content goes with the end of the job; of one in quarantine, a week later or when an admin discards it.
    """

    KEPT_SET_ASIDE: ClassVar[timedelta] = timedelta(days=7)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="imports")
    name = models.CharField(max_length=200, help_text="Of the file.")
    content = models.BinaryField()
    language = models.CharField(max_length=20, help_text="In which what happens is told.")
    created_at = models.DateTimeField(auto_now_add=True)
    already_count = models.PositiveIntegerField(default=0, help_text="Conversations that were here before.")
    skipped_count = models.PositiveIntegerField(default=0)
    problem = models.TextField(blank=True, help_text="What is the matter with the file, in words.")
    skipped: Any = models.JSONField(default=list, help_text="The first of them: title, and why.")

    queue = BACKGROUND
    needed = ("user",)

    class Meta(Job.Meta):
        ordering = ["-created_at"]
        constraints = [
            *Job.Meta.constraints,
            models.CheckConstraint(
                name="a_file_goes_when_it_has_been_read",
                condition=Q(status__in=["queued", "running", "quarantined"]) | Q(content=b""),
            ),
            models.UniqueConstraint(
                name="one_open_import_a_person", fields=["user"], condition=Q(status__in=["queued", "running"])
            ),
        ]

    def __str__(self) -> str:
        return f"import of {self.name} ({self.status})"

    @classmethod
    def with_queues(cls, jobs: models.QuerySet[Import]) -> models.QuerySet[Import]:
        return jobs.defer("content")

    def discard(self) -> bool:
        return bool(self._set_aside().update(status=self.Status.FAILED, content=b""))

    @property
    def kept_until(self) -> datetime | None:
        """When the content of a file in quarantine goes; None of any other."""
        if self.status != self.Status.QUARANTINED or not self.finished_at:
            return None
        return self.finished_at + self.KEPT_SET_ASIDE

    def _end(self, still: models.QuerySet[Any], status: str, **fields: Any) -> bool:
        if status != self.Status.QUARANTINED:  # an admin can try that again
            fields["content"] = b""
        return super()._end(still, status, **fields)

    @property
    def reply_id(self) -> uuid.UUID:  # type: ignore[override]
        """An import writes no reply; its own id names its lease."""
        return self.id

    @property
    def task(self) -> Task:
        from chatsite.transfer.tasks import import_file

        return import_file


class Origin(models.Model):
    """Where an imported conversation comes from, so that the same one is imported once."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    source = models.CharField(max_length=100)
    conversation = models.OneToOneField(Conversation, on_delete=models.CASCADE, related_name="origin")
    brought_by = models.ForeignKey(Import, null=True, on_delete=models.SET_NULL, related_name="origins")

    class Meta:
        constraints = [models.UniqueConstraint(name="imported_once_a_person", fields=["user", "source"])]

    def __str__(self) -> str:
        return self.source
