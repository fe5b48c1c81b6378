"""The language of the interface: the one that a person has chosen, else the one that their browser asks for.

A browser keeps the choice in a cookie, which pages and sockets go by; the account keeps it for the next browser.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.utils import translation

from chatsite.accounts.models import Preferences


class LanguageMiddleware(LocaleMiddleware):
    """Django's middleware, which leaves the admin in English: half of its words are not translated."""

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        if request.path.startswith("/admin/"):
            translation.activate(settings.LANGUAGE_CODE)
            request.LANGUAGE_CODE = settings.LANGUAGE_CODE


def choose(user: Any, code: str) -> None:
    """Keep the choice with the account. What is no language of ours is not kept."""
    if user.is_authenticated and code in dict(settings.LANGUAGES):
        Preferences.objects.update_or_create(user=user, defaults={"language": code})


def bring(response: HttpResponseBase, user: Any) -> None:
    """To a browser in which somebody has just signed in, bring the language that they chose in another one."""
    if code := Preferences.objects.filter(user=user.pk).exclude(language="").values_list("language", flat=True).first():
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            code,
            max_age=settings.LANGUAGE_COOKIE_AGE,
            secure=settings.LANGUAGE_COOKIE_SECURE,
            httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
            samesite=settings.LANGUAGE_COOKIE_SAMESITE,
        )


def of_socket(scope: dict[str, Any]) -> str:
    """The language in which the page of a socket was shown."""
    request = HttpRequest()
    request.COOKIES = scope["cookies"]
    accepted = dict(scope["headers"]).get(b"accept-language", b"")
    request.META["HTTP_ACCEPT_LANGUAGE"] = accepted.decode("latin-1")
    return translation.get_language_from_request(request)
