"""Requests over HTTP: each has an id, which its lines in the log and its response carry."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponseBase

from workers import tracing
from workers.logs import about

logger = logging.getLogger(__name__)

HEADER = "X-Request-ID"
_USABLE = re.compile(r"[\w.:/=+@-]{1,128}", re.ASCII)


class RequestIdMiddleware:
    """Takes the id that a proxy has given, or makes one.

    A view that has made or changed a reply answers with the reply's id instead of one of ours.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: Any) -> HttpResponseBase:
        given = request.headers.get(HEADER, "")
        is_usable = bool(_USABLE.fullmatch(given))
        request.request_id = given if is_usable else str(uuid.uuid4())
        began = time.perf_counter()
        with about(request_id=request.request_id), tracing.asked(f"HTTP {request.method}") as asked:
            response = self._get_response(request)
            if is_usable or HEADER not in response:
                response[HEADER] = request.request_id
            if match := request.resolver_match:  # neither a static file nor a redirect to TLS
                asked.name = f"{request.method} /{match.route}"
                asked.attributes["http.response.status_code"] = response.status_code
                _log(request.method, match.route, response.status_code, (time.perf_counter() - began) * 1000)
        return response


def _log(method: str, route: str, status: int, duration_ms: float) -> None:
    """One line for the request: its route, not its path, in which the secret of a sign-in link may stand."""
    facts = {"method": method, "route": route, "status": status, "duration_ms": round(duration_ms, 1)}
    logger.info("%s /%s %d", method, route, status, extra=facts)
