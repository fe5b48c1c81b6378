"""Messages whose right route is known: what a change of the router is measured on before it goes live."""

from __future__ import annotations

import hashlib
from typing import Any

from django.conf import settings
from django.db import models


class LabelledMessage(models.Model):
    """A message with the route that it belongs on. The same text after the same answer is there once."""

    class Source(models.TextChoices):
        SHIPPED = "shipped", "came with Switchyard"
        WRITTEN = "written", "written by an admin"
        UPLOAD = "upload", "uploaded"
        CORRECTION = "correction", "a correction"

    text = models.TextField()
    context = models.TextField(blank=True, help_text="The beginning of the answer before it, if it refers to one.")
    route = models.CharField(max_length=40, help_text="The name of the route that it belongs on.")
    source = models.CharField(max_length=10, choices=Source.choices, default=Source.WRITTEN, editable=False)
    fingerprint = models.CharField(max_length=64, unique=True, editable=False)
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    added_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["route"])]

    def __str__(self) -> str:
        return f"labelled message {self.pk}"  # not the text, which logs would keep for ever

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.fingerprint = fingerprint(self.text, self.context)
        super().save(*args, **kwargs)


def fingerprint(text: str, context: str = "") -> str:
    """What tells two messages apart: the text and the answer before it, spaces aside."""
    return hashlib.sha256("\0".join(" ".join(part.split()) for part in (text, context)).encode()).hexdigest()
