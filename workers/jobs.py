"""Work that is claimed exactly once: the abstract row behind a turn's decision and a completion.

The database row is the truth and the outbox. Publishing to a queue is only the fast path; `workers.reaper`
publishes again what got lost and gives a new attempt to what died. A task carries the row's id and attempt, and
whoever claims that attempt first owns it.
"""

from __future__ import annotations

import uuid
from typing import Any, Self

from celery import Task
from django.apps import apps
from django.conf import settings
from django.db import models, transaction
from django.db.models import F, Q
from django.utils import timezone

from workers import broker


class Job(models.Model):
    """A queued piece of work with a fence: every change names the attempt that it belongs to."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"
        QUARANTINED = "quarantined"

    OPEN = (Status.QUEUED, Status.RUNNING)

    needed: tuple[str, ...] = ()  # rows that whoever runs this job is going to look at, fetched with it
    reply_id: uuid.UUID  # names the stream that people watch while this job runs

    status = models.CharField(max_length=12, choices=Status.choices, default=Status.QUEUED)
    attempt = models.PositiveIntegerField(default=1)
    deaths = models.PositiveSmallIntegerField(default=0, help_text="How many attempts ended with their process.")
    queued_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    error_code = models.CharField(max_length=40, blank=True)
    error_detail = models.TextField(blank=True, help_text="For admins; never shown to the person.")

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                name="%(app_label)s_%(class)s_finished_iff_closed",
                condition=Q(status__in=["queued", "running"], finished_at=None)
                | (~Q(status__in=["queued", "running"]) & ~Q(finished_at=None)),
            ),
            models.CheckConstraint(
                name="%(app_label)s_%(class)s_running_has_started",
                condition=~Q(status="running") | ~Q(started_at=None),
            ),
        ]
        # The reaper asks once a second for the few open rows among the many closed ones.
        indexes = [
            models.Index(
                name="%(app_label)s_%(class)s_open",
                fields=["status", "queued_at"],
                condition=Q(status__in=["queued", "running"]),
            ),
            # The operations page: how long those waited that were started lately, and what ended lately, and how.
            models.Index(name="%(app_label)s_%(class)s_started", fields=["started_at"]),
            models.Index(name="%(app_label)s_%(class)s_ended", fields=["status", "finished_at"]),
        ]

    @staticmethod
    def kinds() -> list[type[Job]]:
        """Every kind of job that there is."""
        return [model for model in apps.get_models() if issubclass(model, Job)]

    @property
    def is_open(self) -> bool:
        return self.status in self.OPEN

    @property
    def queue(self) -> str:
        """The name of the queue that this job waits in."""
        raise NotImplementedError

    @property
    def task(self) -> Task:
        """The task that is given the id and the attempt."""
        raise NotImplementedError

    @property
    def runs_alone(self) -> bool:
        """Whether so many processes have died of it, or beside it, that the next one is to hold nothing else."""
        return 0 < settings.MAX_ATTEMPTS - 1 <= self.deaths

    def publish(self) -> None:
        """Hand this attempt to its queue. Raises as `broker.publish` does."""
        broker.publish(self.task, (str(self.pk), self.attempt), self.queue)

    def enqueue_on_commit(self) -> None:
        """Publish when the surrounding transaction commits; a broker that is away is the reaper's business."""
        transaction.on_commit(self.publish, robust=True)

    @classmethod
    def claim(cls, pk: Any, attempt: int) -> Self | None:
        """The row, now running, if this attempt was still waiting; otherwise None, and the task is dropped."""
        claimed = cls._default_manager.filter(pk=pk, attempt=attempt, status=cls.Status.QUEUED).update(
            status=cls.Status.RUNNING, started_at=timezone.now()
        )
        rows = cls._default_manager.select_related(*cls.needed) if cls.needed else cls._default_manager
        return rows.get(pk=pk) if claimed else None

    def close(self, status: str, **fields: Any) -> bool:
        """Write the final state, if this attempt is still the running one. False means that it is not."""
        fields |= {"status": status, "finished_at": timezone.now()}
        closed = self._fenced().update(**fields)
        if closed:
            for name, value in fields.items():
                setattr(self, name, value)
        return bool(closed)

    def retry(self, has_died: bool = False) -> bool:
        """Give up this attempt and queue the next one. False means that somebody else did already.

        `has_died`: its process has, so the job could be the cause.
        """
        retried = self._fenced().update(
            status=self.Status.QUEUED,
            attempt=F("attempt") + 1,
            deaths=F("deaths") + int(has_died),  # PostgreSQL adds no truth to a number
            started_at=None,
            queued_at=timezone.now(),
        )
        if retried:
            self.refresh_from_db()
        return bool(retried)

    def try_again(self) -> bool:
        """Out of quarantine, to be published, with a fresh set of attempts. False means that it is not there now."""
        retried = self._set_aside().update(
            status=self.Status.QUEUED,
            attempt=F("attempt") + 1,
            deaths=0,
            started_at=None,
            finished_at=None,
            queued_at=timezone.now(),
            error_code="",
        )
        if retried:
            self.refresh_from_db()
        return bool(retried)

    def discard(self) -> bool:
        """Out of quarantine, among the failed ones for good. False means that it is not there now."""
        return bool(self._set_aside().update(status=self.Status.FAILED))

    def note_error(self, detail: str) -> None:
        """Keep what went wrong in this attempt, for admins."""
        self._fenced().update(error_detail=detail[:2000])

    def _set_aside(self) -> models.QuerySet[Any]:
        return type(self)._default_manager.filter(pk=self.pk, status=self.Status.QUARANTINED)

    def _fenced(self) -> models.QuerySet[Any]:
        return type(self)._default_manager.filter(pk=self.pk, attempt=self.attempt, status=self.Status.RUNNING)
