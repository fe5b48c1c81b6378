"""What admins do on the operations page is written into the admin's log of changes."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model


def write_down(actor: Any, kind: type[Model], pk: str, name: str, text: str) -> None:
    """An entry of the user `actor` about the object of a kind that has this id and name."""
    LogEntry.objects.create(
        user_id=actor.pk,
        content_type=ContentType.objects.get_for_model(kind),
        object_id=pk,
        object_repr=name[:200],
        action_flag=CHANGE,
        change_message=text,
    )
