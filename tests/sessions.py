"""Signed-in sessions, and browsers, without the sign-in page."""

from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.test import Client


def session_of(user: Any) -> str:
    """The key of a new signed-in session."""
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return str(session.session_key)


def browser_of(user: Any) -> Client:
    """A browser without scripts, in which a person is signed in."""
    browser = Client()
    browser.force_login(user)
    return browser
