"""Work that is claimed exactly once: the abstract row behind a turn's decision and a completion.

The database row is the truth and the outbox. Publishing to a queue is only the fast path; `workers.reaper`
publishes again what got lost and gives a new attempt to what died. A task carries the row's id and attempt, and
whoever claims that attempt first owns it.

People take turns: no more than a few jobs of one person are in a queue or running at a time (`Limits.running`). A job
beyond that is held: its row is queued and not released. It is released when another one of that person ends, by
whoever ends it, with the reaper as the safety net. So a queue that serves first what came first is fair.
"""

from __future__ import annotations

import uuid
from collections import Counter
from typing import Any, Self, TypeVar

from celery import Task
from django.apps import apps
from django.conf import settings
from django.db import models, transaction
from django.db.models import F, Q
from django.dispatch import Signal
from django.utils import timezone

from workers import broker
from workers.commits import after_commit
from workers.limits import limits_of
from workers.locks import lock_until_commit
from workers.prepared import prepared

# Sent when a reply has come to its end, whichever, and its readers are told; `job` is what it has ended with. Sent also
# when a job that writes no reply is quarantined. What a receiver raises is logged.
ended = Signal()

AnyJob = TypeVar("AnyJob", bound="Job")


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

    is_part_of_answer = False  # whether every message takes one of this kind; only those stand in the line
    needed: tuple[str, ...] = ()  # rows that whoever runs this job is going to look at, fetched with it
    reply_id: uuid.UUID  # names the stream that people watch while this job runs

    status = models.CharField(max_length=12, choices=Status.choices, default=Status.QUEUED)
    attempt = models.PositiveIntegerField(default=1)
    deaths = models.PositiveSmallIntegerField(default=0, help_text="How many attempts ended with their process.")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,  # only the open ones are looked for by person, and they have an index of their own
        help_text="Whose turn it is to have it done; nobody's jobs are never held.",
    )
    queued_at = models.DateTimeField(default=timezone.now)
    released_at = models.DateTimeField(
        null=True, default=timezone.now, help_text="Handed to its queue; empty while it is held."
    )
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
        # The few open rows among the many closed ones: the reaper and the admission ask for all, and for a person's.
        indexes = [
            models.Index(name="%(app_label)s_%(class)s_open", fields=["queued_at"], condition=Q(finished_at=None)),
            models.Index(
                name="%(app_label)s_%(class)s_theirs", fields=["person", "status"], condition=Q(finished_at=None)
            ),
            # The operations page: how long those waited that were started lately, and what ended lately, and how.
            models.Index(name="%(app_label)s_%(class)s_started", fields=["started_at"]),
            models.Index(name="%(app_label)s_%(class)s_ended", fields=["status", "finished_at"]),
        ]

    @staticmethod
    def kinds() -> list[type[Job]]:
        """Every kind of job that there is."""
        return [model for model in apps.get_models() if issubclass(model, Job)]

    @classmethod
    def all_open(cls) -> models.QuerySet[Self]:
        """The open rows. Not by their status: SQLite finds a partial index only by conditions without parameters."""
        return cls._default_manager.filter(finished_at=None)

    @property
    def is_open(self) -> bool:
        return self.status in self.OPEN

    @property
    def run_seconds(self) -> float:
        """How long it took from its start to its end; 0 without both."""
        if not self.started_at or not self.finished_at:
            return 0.0
        return (self.finished_at - self.started_at).total_seconds()

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

    @property
    def text_left(self) -> str:
        """Once it has ended: what its readers are left with, if it writes text."""
        return ""

    def publish(self) -> None:
        """Hand this attempt to its queue. Raises as `broker.publish` does."""
        broker.publish(self.task, (str(self.pk), self.attempt), self.queue)

    def enqueue_on_commit(self, *, is_their_only: bool = False) -> None:
        """In the transaction that made this row: publish when it commits, or hold it until it is its person's turn.

        `is_their_only`: the caller knows that no other job of its person is open. A broker that is away is the reaper's
        business.
        """
        if not is_their_only and self._has_to_wait():
            self.released_at = None
            self.save(update_fields=["released_at"])
            # One that made it wait may have ended unseen in the meantime.
            after_commit(self.release_held, self.person_id)
        else:
            after_commit(self.publish)

    def _has_to_wait(self) -> bool:
        if self.person_id is None:
            return False
        lock_until_commit(f"person:{self.person_id}")
        if not _any_beside(type(self), self.person_id, self.pk):  # most people wait for one answer at a time
            return False
        others = _beside(type(self), self.person_id, self.pk)
        ahead = sum(other.queue == self.queue for other in self.with_queues(others))
        return ahead > 0 and ahead >= limits_of(self.person_id).running

    @classmethod
    def release_held(cls, person_id: Any) -> None:
        """Hand to their queues those held jobs of a person that have become their turn, the oldest first."""
        if not _any_held(cls, person_id):
            return
        with transaction.atomic():
            lock_until_commit(f"person:{person_id}")
            most, released = limits_of(person_id).running, Counter[str]()
            # Who changes a row, as when a file is sent, may wait for the lock above: that one is the reaper's.
            free = set(
                cls._held(person_id).select_for_update(skip_locked=True, no_key=True).values_list("pk", flat=True)
            )
            theirs = cls.open_with_queues().filter(person=person_id)
            for job in theirs.order_by(F("released_at").asc(nulls_last=True), "queued_at"):
                if job.pk in free and released[job.queue] < most:
                    job.released_at = timezone.now()
                    job.save(update_fields=["released_at"])
                    after_commit(job.publish)
                released[job.queue] += job.released_at is not None

    @classmethod
    def with_queues(cls, jobs: models.QuerySet[Self]) -> models.QuerySet[Self]:
        """The jobs with what their `queue` needs, and without what is large."""
        return jobs

    @classmethod
    def open_with_queues(cls) -> models.QuerySet[Self]:
        return cls.with_queues(cls.all_open())

    @classmethod
    def _held(cls, person_id: Any) -> models.QuerySet[Self]:
        return cls.all_open().filter(person=person_id, status=cls.Status.QUEUED, released_at=None)

    @classmethod
    def claim(cls, pk: Any, attempt: int) -> Self | None:
        """The row, now running, if this attempt was still waiting; otherwise None, and the task is dropped.

        None also for a process that was frozen in here until the next attempt had begun, which is not its own.
        """
        claimed = cls._default_manager.filter(pk=pk, attempt=attempt, status=cls.Status.QUEUED).update(
            status=cls.Status.RUNNING, started_at=timezone.now()
        )
        rows = _claimed(cls, pk, attempt) if claimed else []
        return rows[0] if rows else None

    def close(self, status: str, **fields: Any) -> bool:
        """Write the final state, if this attempt is still the running one. False means that it is not."""
        return self._end(self._fenced(), status, **fields)

    def finish(self, **fields: Any) -> bool:
        """As `close` with what was wanted. False also if somebody has asked to stop it meanwhile."""
        return self._end(self._fenced().filter(cancel_requested_at=None), self.Status.DONE, **fields)

    def cancel_waiting(self) -> bool:
        """Close it, if nobody runs it yet. False means that somebody does, or did."""
        waiting = type(self)._default_manager.filter(pk=self.pk, status=self.Status.QUEUED)
        return self._end(waiting, self.Status.CANCELLED, cancel_requested_at=timezone.now())

    def _end(self, still: models.QuerySet[Any], status: str, **fields: Any) -> bool:
        fields |= {"status": status, "finished_at": timezone.now()}
        ended = still.update(**fields)
        if ended:
            for name, value in fields.items():
                setattr(self, name, value)
            if self.person_id:
                after_commit(self.release_held, self.person_id)
        return bool(ended)

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
            self.refresh_from_db(fields=["status", "attempt", "deaths", "started_at", "queued_at"])
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

    def cancel(self) -> bool:
        """Close it, whether somebody runs it or not; who does finds out at the next `note`. False: it had ended."""
        return self._end(self.all_open().filter(pk=self.pk), self.Status.CANCELLED)

    def note(self, **fields: Any) -> bool:
        """Write how far it is, while this attempt is the running one. False means that it is not."""
        return bool(self._fenced().update(**fields))

    def note_error(self, detail: str) -> None:
        """Keep what went wrong in this attempt, for admins."""
        self.note(error_detail=detail[:2000])

    def _set_aside(self) -> models.QuerySet[Any]:
        return type(self)._default_manager.filter(pk=self.pk, status=self.Status.QUARANTINED)

    def _fenced(self) -> models.QuerySet[Any]:
        return type(self)._default_manager.filter(pk=self.pk, attempt=self.attempt, status=self.Status.RUNNING)


@prepared
def _claimed(kind: type[AnyJob], pk: Any, attempt: int) -> models.QuerySet[AnyJob]:
    rows = kind._default_manager.select_related(*kind.needed) if kind.needed else kind._default_manager.all()
    return rows.filter(pk=pk, attempt=attempt)


@prepared
def _any_held(kind: type[Job], person_id: Any) -> models.QuerySet[Any, Any]:
    return kind._held(person_id).order_by().values_list("pk")[:1]


@prepared
def _any_beside(kind: type[Job], person_id: Any, pk: Any) -> models.QuerySet[Any, Any]:
    return _beside(kind, person_id, pk).order_by().values_list("pk")[:1]


def _beside(kind: type[AnyJob], person_id: Any, pk: Any) -> models.QuerySet[AnyJob]:
    """The other jobs of a person that are in a queue or running."""
    return kind.all_open().filter(person=person_id).exclude(pk=pk).exclude(released_at=None)
