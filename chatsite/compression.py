"""Pages are compressed on their way out; static files are when they are collected (`chatsite.static_files`)."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware


class PageCompressionMiddleware(GZipMiddleware):
    """Django's middleware, for whole pages alone: what is streamed must not wait for the compressor.

    A page may show what somebody else has chosen (the words of a search, in a link) beside what only its person may
    read. That the length tells nothing of it (BREACH) is left to Django, which adds up to 100 random bytes and masks
    the CSRF token anew on each page; nor does a browser send our cookies with what other sites embed.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        is_page = not response.streaming and response.get("Content-Type", "").startswith("text/html")
        return super().process_response(request, response) if is_page else response
