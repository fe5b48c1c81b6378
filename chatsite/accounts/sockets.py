"""Whose socket it is."""

from __future__ import annotations

from typing import Any

from channels.auth import AuthMiddlewareStack

Scope = dict[str, Any]


async def identified(scope: Scope) -> Scope:
    """The scope of a socket with its `cookies`, `session` and `user`.

    The middlewares of Channels are asked and left. Around a consumer they would stay for as long as its tab is open,
    each with a copy of the scope: 5 KiB.
    """
    found: list[Scope] = []

    async def keep(scope: Scope, *_: Any) -> None:
        found.append(scope)

    await AuthMiddlewareStack(keep)(scope, _nothing, _nothing)
    return found[0]


async def _nothing(*_: Any) -> None:
    """There is nothing to receive or to send while they look."""
