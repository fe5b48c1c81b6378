"""Revisions that run beside the live one: a canary answers some conversations, a shadow only decides."""

from __future__ import annotations

import hashlib
from typing import Any, Self

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone

from router.models.revisions import AuditEntry, Revision


class Rollout(models.Model):
    """One revision's time as a canary or as a shadow. At most one of each kind runs."""

    class Kind(models.TextChoices):
        CANARY = "canary", "Canary: answers a share of the conversations"
        SHADOW = "shadow", "Shadow: decides beside the live revision, never answers"

    class Outcome(models.TextChoices):
        RUNNING = "running", "running"
        PROMOTED = "promoted", "made live"
        STOPPED = "stopped", "stopped"
        ROLLED_BACK = "rolled_back", "rolled back by itself"

    revision = models.ForeignKey(Revision, on_delete=models.PROTECT, related_name="rollouts")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    share = models.PositiveSmallIntegerField(
        default=100,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="Per cent of the conversations. A conversation keeps what it got.",
    )
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    started_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=12, choices=Outcome.choices, default=Outcome.RUNNING)
    reason = models.CharField(max_length=300, blank=True)
    looks = models.PositiveIntegerField(default=0, help_text="How often it was compared with the live revision.")
    figures = models.JSONField(default=dict, help_text="What the last comparison saw.")

    class Meta:
        ordering = ["-started_at"]
        constraints = [
            models.UniqueConstraint(name="one_running_rollout_a_kind", fields=["kind"], condition=Q(ended_at=None)),
            models.CheckConstraint(name="share_is_a_percentage", condition=Q(share__range=(1, 100))),
            models.CheckConstraint(
                name="a_running_rollout_has_no_end",
                condition=Q(outcome="running", ended_at=None) | (~Q(outcome="running") & ~Q(ended_at=None)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.revision} as {self.kind}"

    @classmethod
    def running(cls, kind: str) -> Self | None:
        """The one of that kind that runs now."""
        return cls.objects.filter(kind=kind, ended_at=None).select_related("revision").first()

    @transaction.atomic
    def end(self, outcome: str, actor: Any, reason: str, **detail: Any) -> bool:
        """End it, and write that into the audit log. False: it had ended already, and nothing was changed."""
        running = type(self).objects.filter(pk=self.pk, ended_at=None)
        if not running.update(ended_at=timezone.now(), outcome=outcome, reason=reason[:300]):
            return False
        self.refresh_from_db()
        text = f"{self}: {self.get_outcome_display()}. {reason}"
        AuditEntry.write(actor, AuditEntry.Action.ROLLOUT_END, text, rollout=self.pk, outcome=outcome, **detail)
        return True

    def takes(self, conversation: Any) -> bool:
        """Whether a conversation (any identifier) belongs to the share. The same one always does, also when the
        share grows."""
        digest = hashlib.sha256(f"{self.revision_id}:{conversation}".encode()).digest()
        return int.from_bytes(digest[:4], "big") % 100 < self.share
