"""Files that nobody has sent go after a day. The reaper on duty sees to it."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from chatsite.documents.models import Attachment

KEPT_UNSENT = timedelta(days=1)
PAUSE_SECONDS = 600

_next = 0.0


def sweep(**_: Any) -> None:
    """On each round of the reaper: every ten minutes, look."""
    global _next
    if time.monotonic() >= _next:
        _next = time.monotonic() + PAUSE_SECONDS
        delete_unsent()


def delete_unsent() -> None:
    """Delete what has waited for a day to be sent, unless that happens right now."""
    with transaction.atomic():
        old = Attachment.objects.select_for_update(skip_locked=True).filter(
            message=None, created_at__lt=timezone.now() - KEPT_UNSENT
        )
        Attachment.objects.filter(pk__in=list(old.values_list("pk", flat=True))).delete()
