"""What can be found. The rows are written by the database itself: see `chatsite.search.index`."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from chatsite.chat.models import Conversation, Message
from chatsite.documents.models import Attachment


class Entry(models.Model):
    """The text of a title, or of a part of a message or of a file that was sent with it."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="+")
    message = models.ForeignKey(Message, null=True, on_delete=models.CASCADE, related_name="+")
    attachment = models.ForeignKey(Attachment, null=True, on_delete=models.CASCADE, related_name="+")
    part = models.PositiveSmallIntegerField(default=0)
    text = models.TextField()

    class Meta:
        verbose_name_plural = "entries"
        constraints = [
            models.UniqueConstraint(
                fields=["message", "part"], condition=Q(attachment=None), name="a_part_of_a_message_is_found_once"
            ),
            models.UniqueConstraint(fields=["attachment", "part"], name="a_part_of_a_file_is_found_once"),
            models.UniqueConstraint(fields=["conversation"], condition=Q(message=None), name="a_title_is_found_once"),
        ]

    def __str__(self) -> str:
        return self.text[:60]
