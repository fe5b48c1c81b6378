"""What pages say while the database or Redis is away, locked, or full: 503 and a time, not an error of ours."""

from __future__ import annotations

import logging
from collections.abc import Callable

import redis
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template import loader

logger = logging.getLogger(__name__)

RETRY_SECONDS = 5


class OutageMiddleware:
    """Answers for a view that could not do its work because of what it rests on."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, OperationalError | redis.RedisError):
            return None
        route = request.resolver_match.route if request.resolver_match else ""  # a path could hold a sign-in link
        logger.error("%s %s has to wait: %s", request.method, route, exception)
        page = loader.get_template("503.html").render()
        return HttpResponse(page, status=503, headers={"Retry-After": str(RETRY_SECONDS)})
