"""Links by which others read a conversation."""

from __future__ import annotations

import secrets

from django.db import models
from django.utils import timezone

from chatsite.chat.models import Conversation, Message


def new_token() -> str:
    """What nobody can guess: 192 random bits."""
    return secrets.token_urlsafe(24)


class Share(models.Model):
    """A link to a conversation as it was when it was shared: from its first message to `leaf`.

    The token is kept as it is, so that the link can be shown again; whoever could read it here can read the
    conversation beside it.
    """

    conversation = models.OneToOneField(Conversation, primary_key=True, on_delete=models.CASCADE, related_name="share")
    token = models.CharField(max_length=40, unique=True, default=new_token)
    title = models.CharField(max_length=120, blank=True)
    leaf = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="+")
    ends_on_purpose = models.BooleanField(
        db_default=False, help_text="Whether it was made to end at `leaf`, whatever follows that."
    )
    created_at = models.DateTimeField(default=timezone.now)
    taken_at = models.DateTimeField(default=timezone.now, help_text="As of when the conversation is shown.")

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.title or str(self.conversation)
