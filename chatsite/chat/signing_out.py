"""Signing out, another password, being switched off by an admin, or the end of the account, reaches every open tab.

A tab that is told looks by itself whether its session still stands, so it is told once the change is committed.
"""

from functools import partial
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY, get_user
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.http import HttpRequest

from chatsite.chat import feed
from chatsite.chat.threads import in_thread


@in_thread
def is_signed_in(session_key: str) -> bool:
    """Whether a tab's own session still stands, as the database says now."""
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    return get_user(request).is_authenticated


@receiver(post_delete, sender=Session)
def tell_tabs(sender: Any, instance: Session, **kwargs: Any) -> None:
    # Not at `user_logged_out`: that comes before the session is gone, and tabs look whether it is.
    if user_id := instance.get_decoded().get(SESSION_KEY):
        _tell(user_id)


@receiver(post_save, sender=settings.AUTH_USER_MODEL)
def tell_tabs_of_change(sender: Any, instance: Any, created: bool, update_fields: Any, **kwargs: Any) -> None:
    if not created and update_fields != {"last_login"}:  # what signing in writes
        _tell(instance.pk)


@receiver(post_delete, sender=settings.AUTH_USER_MODEL)
def tell_tabs_of_end(sender: Any, instance: Any, **kwargs: Any) -> None:
    _tell(instance.pk)


def _tell(user_id: Any) -> None:
    transaction.on_commit(partial(feed.tell, user_id, {"type": "signed_out"}))
