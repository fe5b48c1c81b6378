"""What was published, what is about to be, and which process runs what."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone


class Classifier(models.Model):
    """A fitted classifier: an artefact that `manage.py fit_router` or a refit with corrections made."""

    sha256 = models.CharField(max_length=64, primary_key=True, editable=False)
    content = models.BinaryField(editable=False, help_text="safetensors, at most 5 MB.")
    metadata = models.JSONField(default=dict, help_text="Hash of the data, seed, versions, metrics.")
    is_shipped = models.BooleanField(default=False, editable=False, help_text="It came with Switchyard.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.sha256[:12]


class Revision(models.Model):
    """An immutable snapshot of all routes with the classifier they run with. One is live."""

    number = models.PositiveIntegerField(primary_key=True)
    snapshot = models.JSONField(help_text="The routes, as `router.drafts.snapshot` writes them.")
    classifier = models.ForeignKey(Classifier, on_delete=models.PROTECT, related_name="revisions")
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="children", help_text="Live before it."
    )
    author = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    note = models.CharField(max_length=200, blank=True)
    evaluation = models.JSONField(
        default=dict, blank=True, help_text="How it did on the labelled set, beside its parent."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    is_live = models.BooleanField(default=False)
    went_live_at = models.DateTimeField(null=True, blank=True, help_text="Empty: it was only tried out.")

    class Meta:
        ordering = ["-number"]
        permissions = [
            ("publish_revision", "Can publish, roll back, and run canaries and shadows"),
            ("publish_past_gate", "Can publish a draft that the gate refuses, or without asking it"),
        ]
        constraints = [models.UniqueConstraint(name="one_live_revision", fields=["is_live"], condition=Q(is_live=True))]

    def __str__(self) -> str:
        return f"Revision {self.number}"


class Draft(models.Model):
    """What a publication would publish beside the routes as they are. One row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    classifier = models.ForeignKey(Classifier, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.CheckConstraint(name="one_draft", condition=Q(id=1))]

    def __str__(self) -> str:
        return "Draft"

    @classmethod
    def current(cls) -> Self:
        """The row; a new one has the newest classifier. Its content, megabytes, is read when somebody asks for it."""
        newest = Classifier.objects.order_by("-created_at").values_list("pk", flat=True)
        rows = cls.objects.select_related("classifier").defer("classifier__content")
        return rows.get_or_create(pk=1, defaults={"classifier_id": newest.first})[0]


class RunningProcess(models.Model):
    """A process that decides, and the revisions that it decides with, as it last said itself."""

    STALE_AFTER = timedelta(seconds=15)

    name = models.CharField(max_length=120, primary_key=True, help_text="Host and process number.")
    live = models.PositiveIntegerField(help_text="The number of the revision that it takes for the live one.")
    canary = models.PositiveIntegerField(null=True)
    shadow = models.PositiveIntegerField(null=True)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    class Meta:
        ordering = ["-seen_at"]
        verbose_name_plural = "running processes"

    def __str__(self) -> str:
        return self.name

    @property
    def is_stale(self) -> bool:
        """Whether it has been silent for so long that it has stopped, or hangs."""
        return timezone.now() - self.seen_at > self.STALE_AFTER


class AuditEntry(models.Model):
    """Something that changed what the router does, or a replay of what people wrote. Never changed, never deleted."""

    class Action(models.TextChoices):
        PUBLISH = "publish", "published"
        OVERRIDE = "override", "published past the gate"
        ROLL_BACK = "roll_back", "rolled back"
        IMPORT = "import", "imported into the draft"
        RESET = "reset", "loaded into the draft"
        ROLLOUT_START = "rollout_start", "started a rollout"
        ROLLOUT_END = "rollout_end", "ended a rollout"
        CORRECTIONS = "corrections", "reviewed corrections"
        REFIT = "refit", "refitted the classifier"
        TRAIN = "train", "trained a classifier"
        REPLAY = "replay", "replayed people's messages"
        LABELLED_SET = "labelled_set", "changed the labelled set"
        SAFEGUARDS = "safeguards", "changed the safeguards"

    at = models.DateTimeField(auto_now_add=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", help_text="Empty: by itself."
    )
    action = models.CharField(max_length=20, choices=Action.choices)
    text = models.CharField(max_length=300)
    detail = models.JSONField(default=dict)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "audit log"

    def __str__(self) -> str:
        return self.text

    @classmethod
    def write(cls, actor: Any, action: str, text: str, **detail: Any) -> Self:
        """Add an entry. `actor` is a user, or None for what happens by itself."""
        return cls.objects.create(actor=actor, action=action, text=text[:300], detail=detail)
