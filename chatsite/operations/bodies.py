"""How much of a request is read at most, whoever sends it and whatever proxy is in front."""

from __future__ import annotations

from typing import Any

from chatsite.operations.endpoints import Answer, Application, Scope, respond
from chatsite.transfer.files import MAX_BYTES

# The longest there is: a file of conversations, and what is around it in the form.
MOST_BYTES = MAX_BYTES + 1_000_000

_TOO_LONG = Answer(413, f"A request can have up to {MOST_BYTES // 1_000_000} MB.\n".encode())
_OF_NO_LENGTH = Answer(411, b"Say how long the request is (Content-Length).\n")


class BoundedBodies:
    """Refuses a request that is longer than any the site takes, or does not say how long it is, before it is read.

    Django keeps a body as a whole before anybody is asked to sign in, and where no length is said it knows no limit.
    Browsers say it.
    """

    def __init__(self, site: Application) -> None:
        self._site = site

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"0")
        if b"transfer-encoding" in headers or not length.isdigit():
            await respond(_OF_NO_LENGTH, send)
        elif len(length) > 12 or int(length) > MOST_BYTES:
            await respond(_TOO_LONG, send)
        else:
            await self._site(scope, receive, send)
