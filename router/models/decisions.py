"""What the router decided, and what people said of it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from router.models.revisions import Revision
from workers.models import Role


class Decision(models.Model):
    """The route that was chosen for one message, with everything that the choice rested on."""

    class Strategy(models.TextChoices):
        EXPLICIT = "explicit", "your choice"
        RULE = "rule", "a rule"
        CLASSIFIER = "classifier", "the classifier"
        DEFAULT = "default", "the default"

    revision = models.ForeignKey(Revision, on_delete=models.PROTECT, related_name="decisions")
    route = models.CharField(max_length=40, help_text="The route's name in that revision.")
    role = models.CharField(max_length=10, choices=Role.choices)
    strategy = models.CharField(max_length=12, choices=Strategy.choices)
    score = models.FloatField(null=True, blank=True)
    threshold = models.FloatField(null=True, blank=True)
    scores = models.JSONField(default=dict, help_text="Score of every route by name, 0 to 1.")
    evidence = models.JSONField(default=dict, help_text="The rule that matched, or the nearest example messages.")
    context = models.CharField(max_length=400, blank=True, help_text="What it read of the answer before.")
    groups = models.JSONField(default=list, help_text="The numbers of the person's groups at that time.")
    shadow_of = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.CASCADE, related_name="shadows", help_text="Never answered."
    )
    duration_ms = models.FloatField()
    decided_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.route} by {self.strategy}"


class Correction(models.Model):
    """Somebody's word that a message went to the wrong route. It changes nothing until an admin accepts it."""

    class State(models.TextChoices):
        PENDING = "pending", "to be reviewed"
        ACCEPTED = "accepted", "accepted"
        REJECTED = "rejected", "rejected"

    decision = models.ForeignKey(Decision, on_delete=models.CASCADE, related_name="corrections")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="corrections")
    text = models.TextField(help_text="The message.")
    context = models.CharField(max_length=400, blank=True, help_text="The beginning of the answer before it.")
    wanted_route = models.CharField(max_length=40, help_text="The route that the person wanted.")
    route = models.CharField(max_length=40, blank=True, help_text="The route that the reviewer found right.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    filed_at = models.DateTimeField(auto_now_add=True)
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    reviewed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-filed_at"]
        constraints = [
            models.UniqueConstraint(name="one_correction_a_decision_and_person", fields=["decision", "user"]),
            models.CheckConstraint(
                name="what_is_reviewed_has_a_time",
                condition=Q(state="pending", reviewed_at=None) | (~Q(state="pending") & ~Q(reviewed_at=None)),
            ),
        ]
        indexes = [models.Index(fields=["state", "-filed_at"])]

    def __str__(self) -> str:
        return f"correction {self.pk}"  # not the text, which logs would keep for ever
