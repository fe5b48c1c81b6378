"""What the background worker does for whoever changes the router: replays, with their flips, and trainings."""

from __future__ import annotations

import uuid
from typing import Any

from celery import Task
from django.conf import settings
from django.db import models
from django.db.models import ExpressionWrapper, F, Q

from chatsite.chat.models import Turn
from chatsite.routing.queue import BACKGROUND
from router.models import Classifier, Revision
from workers.jobs import Job


class Replay(Job):
    """One run of the time machine. What it replays is fixed when it is asked for, and so is what it compares with."""

    MOST_MESSAGES = 20_000

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    live = models.ForeignKey(
        Revision, on_delete=models.PROTECT, related_name="+", help_text="It was live at the start: the old routes."
    )
    revision = models.ForeignKey(
        Revision,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="What decides anew. Empty: the draft.",
    )
    snapshot = models.JSONField(help_text="The routes that decide anew, as they were at the start.")
    classifier = models.ForeignKey(Classifier, on_delete=models.PROTECT, related_name="+")
    newest = models.PositiveIntegerField(help_text="At most this many messages, the newest first.")
    since = models.DateField(null=True)
    until = models.DateField(null=True)
    before = models.PositiveBigIntegerField(help_text="The decisions before this one are still to be replayed.")
    total = models.PositiveIntegerField(help_text="How many messages there were at the start.")
    done = models.PositiveIntegerField(default=0)
    flip_count = models.PositiveIntegerField(default=0)
    drift_count = models.PositiveIntegerField(
        default=0, help_text="How many were decided otherwise when they came than by what was live at the start."
    )

    queue = BACKGROUND

    class Meta(Job.Meta):
        ordering = ["-created_at"]
        constraints = [
            *Job.Meta.constraints,
            models.UniqueConstraint(
                name="one_open_replay_a_person", fields=["asked_by"], condition=Q(status__in=["queued", "running"])
            ),
            models.CheckConstraint(name="a_replay_ends_after_it_begins", condition=Q(since__lte=F("until"))),
            models.CheckConstraint(name="a_replay_is_of_some_messages", condition=Q(newest__range=(1, 20_000))),
            models.CheckConstraint(
                name="a_replay_does_no_more_than_there_is",
                condition=Q(done__lte=F("total")) & Q(flip_count__lte=F("done")),
            ),
        ]

    def __str__(self) -> str:
        return f"Replay of {self.subject}"

    @property
    def subject(self) -> str:
        """What decides anew."""
        return f"revision {self.revision_id}" if self.revision_id else "the draft"

    @property
    def reply_id(self) -> uuid.UUID:  # type: ignore[override]
        """A replay writes no reply; its own id names its lease."""
        return self.id

    @property
    def task(self) -> Task:
        from chatsite.routing.replaying import replay_messages

        return replay_messages

    def titles(self) -> dict[str, str]:
        """What the routes are called, old and new, by name."""
        routes = [*self.live.snapshot["routes"], *self.snapshot["routes"]]
        return {route["name"]: route["title"] for route in routes}


class ReplayedFlip(models.Model):
    """A message that would take another route. It goes when the message goes.

    A choice is that of `router.policy.Choice` as data. No route at all means that the person named one which is not
    there.
    """

    replay = models.ForeignKey(Replay, on_delete=models.CASCADE, related_name="flips")
    turn = models.ForeignKey(Turn, on_delete=models.CASCADE, related_name="flips")
    old_route = models.CharField(max_length=40, blank=True)
    new_route = models.CharField(max_length=40, blank=True)
    old_choice: Any = models.JSONField()
    new_choice: Any = models.JSONField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(name="a_message_flips_once_a_replay", fields=["replay", "turn"]),
            models.CheckConstraint(name="a_flip_changes_the_route", condition=~Q(old_route=F("new_route"))),
        ]

    def __str__(self) -> str:
        return f"{self.old_route or 'nothing'} → {self.new_route or 'nothing'}"


class Training(Job):
    """One fit of a whole classifier. What it is fitted on is fixed when it is asked for."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    rows: Any = models.JSONField(help_text="Messages beside the project's own: text, role and context of each.")
    seed = models.PositiveIntegerField()
    with_encoder = models.BooleanField()
    log: Any = models.JSONField(default=list, help_text="What it has reported so far, a line each.")
    classifier = models.ForeignKey(
        Classifier, null=True, on_delete=models.PROTECT, related_name="+", help_text="What came of it."
    )

    queue = BACKGROUND

    class Meta(Job.Meta):
        ordering = ["-created_at"]
        constraints = [
            *Job.Meta.constraints,
            # All open rows have the same value of this, so there is one at most.
            models.UniqueConstraint(
                ExpressionWrapper(Q(status__in=["queued", "running"]), models.BooleanField()),
                name="one_open_training",
                condition=Q(status__in=["queued", "running"]),
            ),
            models.CheckConstraint(
                name="a_done_training_has_a_classifier", condition=~Q(status="done") | ~Q(classifier=None)
            ),
        ]

    def __str__(self) -> str:
        more = f", with {len(self.rows):,} messages more" if self.rows else ""
        return f"training {'with' if self.with_encoder else 'without'} the encoder, seed {self.seed}{more}"

    @property
    def reply_id(self) -> uuid.UUID:  # type: ignore[override]
        """A training writes no reply; its own id names its lease."""
        return self.id

    @property
    def task(self) -> Task:
        from chatsite.routing.training import train_classifier

        return train_classifier
