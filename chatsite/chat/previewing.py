"""The route that a message would take, told while it is being typed. Nothing is stored, and nothing is promised.

A light worker decides, on the path that the message itself will take, and tells the person's tabs through their feed.
A preview that comes late is worth nothing: the broker drops it after `EXPIRES_SECONDS`, so that under load it never
keeps a message waiting for long.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from celery import shared_task
from django.contrib.auth import get_user_model
from django.http import Http404
from kombu.exceptions import OperationalError

from chatsite.chat import access, feed
from chatsite.chat.models import Turn

logger = logging.getLogger(__name__)

MAX_CHARACTERS = 20_000
EXPIRES_SECONDS = 2


def ask(user: Any, *, text: str, conversation_id: Any, tag: str, files: Sequence[str] = ()) -> None:
    """Have a worker say where `text` with these files would go, as a frame `preview` with `tag`.

    A broker that is away is no harm.
    """
    try:
        preview_route.apply_async(
            args=[user.pk, conversation_id, text, tag, list(files)],
            queue=Turn.queue,
            expires=EXPIRES_SECONDS,
            retry=False,
        )
    except OperationalError as error:
        logger.info("There is no preview: %s", error)


@shared_task(name="chat.preview_route")
def preview_route(user_id: Any, conversation_id: Any, text: str, tag: str, files: Sequence[str] = ()) -> None:
    """Decide, store nothing, and tell the person's tabs. A route that does not exist has no title, nor has a message
    with a file that is still being read.
    """
    from chatsite.chat import answering  # loads the encoder: only in a worker
    from chatsite.documents import texts

    user = get_user_model()._default_manager.filter(pk=user_id, is_active=True).first()
    if user is None:
        return
    try:
        conversation = access.conversation_or_404(user, conversation_id) if conversation_id else None
    except Http404:
        return
    attached = texts.in_draft(user, files)
    title = "" if attached is None else answering.previewed(user, conversation, text, attached)
    feed.tell(user_id, {"type": "preview", "tag": tag, "title": title})
