"""What people have typed and not sent yet."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q


class Draft(models.Model):
    """What stands in the composer of one conversation, or of a new one, on all devices of one person.

    Once there, a row stays: its revision only grows, so that no clock is needed to tell what is newer.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="drafts")
    conversation = models.ForeignKey(
        "chat.Conversation", null=True, on_delete=models.CASCADE, related_name="drafts", help_text="None: a new one."
    )
    text = models.TextField(blank=True)
    pasted: Any = models.JSONField(default=list, help_text="Long texts that were pasted beside it.")
    revision = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="one_draft_a_conversation", fields=["user", "conversation"]),
            models.UniqueConstraint(
                name="one_draft_for_a_new_conversation", fields=["user"], condition=Q(conversation=None)
            ),
        ]

    def __str__(self) -> str:
        return f"draft {self.revision} of {self.user_id}"

    @property
    def whole(self) -> str:
        """All of it as the one text that would be sent."""
        return "\n\n".join(part for part in (self.text, *self.pasted) if part.strip()).strip()
