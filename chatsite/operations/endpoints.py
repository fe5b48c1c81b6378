"""Addresses for machines: `/healthz`, `/readyz` and `/metrics`.

They are answered before Django is reached: a probe asks by the address of a container and without TLS, and gets its
answer whatever ALLOWED_ORIGINS says, without a redirect, a session or a line in the log. What they answer depends on
nothing that the one who asks has sent, but for the token of `/metrics`, so the host that was asked for does not matter.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.conf import settings
from django.db import DatabaseError

from chatsite.chat.threads import in_thread
from chatsite.operations import metrics
from chatsite.operations.readiness import is_ready, readiness

Scope = dict[str, Any]
Application = Callable[[Any, Any, Any], Awaitable[None]]


@dataclass(frozen=True)
class Answer:
    """A response. It is never kept by a cache."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)


class Endpoints:
    """Answers the addresses for machines, and passes everything else on to the site."""

    def __init__(self, site: Application) -> None:
        self._site = site
        self._answers: dict[str, Callable[[Scope], Awaitable[Answer]]] = {"/healthz": _healthz, "/readyz": _readyz}
        if settings.METRICS_TOKEN:
            self._answers["/metrics"] = _metrics

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        answering = self._answers.get(scope["path"])
        if answering is None:
            await self._site(scope, receive, send)
        elif scope["method"] in ("GET", "HEAD"):
            await respond(await answering(scope), send, with_body=scope["method"] == "GET")
        else:
            await respond(Answer(405, b"", headers={"allow": "GET, HEAD"}), send)


async def _healthz(scope: Scope) -> Answer:
    """The process runs and its event loop turns; nothing else is asked."""
    return Answer(200, b"ok\n")


async def _readyz(scope: Scope) -> Answer:
    parts = await readiness()
    return Answer(200 if is_ready(parts) else 503, orjson.dumps(parts), "application/json")


async def _metrics(scope: Scope) -> Answer:
    given = dict(scope["headers"]).get(b"authorization", b"")
    if not secrets.compare_digest(given, f"Bearer {settings.METRICS_TOKEN}".encode()):
        return Answer(401, b"The token of METRICS_TOKEN is wanted.\n", headers={"www-authenticate": "Bearer"})
    try:
        return Answer(200, await in_thread(metrics.exposition)(), metrics.CONTENT_TYPE)
    except DatabaseError:
        return Answer(503, b"The database does not answer.\n")


async def respond(answer: Answer, send: Any, with_body: bool = True) -> None:
    """Send the answer."""
    fields = {
        "content-type": answer.content_type,
        "content-length": str(len(answer.body)),
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        **answer.headers,
    }
    headers = [(name.encode(), value.encode()) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body if with_body else b""})
