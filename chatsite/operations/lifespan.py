"""The beginning and the end of a web process, as the server announces them (ASGI's lifespan)."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

from chatsite import garbage
from chatsite.chat import fallbacks
from chatsite.chat.threads import in_thread
from chatsite.operations.checks import CannotStartError, check_start, check_static_files
from workers import tracing
from workers.code import own_code

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def lifespan(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Refuse to start where answers would be lost, or pages not shown: the server logs the sentence and exits."""
    await receive()
    try:
        await in_thread(check_start)()
        check_static_files()
        await in_thread(own_code)()  # what this process runs, whatever the files become
    except CannotStartError as error:
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        return
    tracing.prepare()
    with contextlib.suppress(ValueError):  # no signals outside the main thread
        _end_listening_at(signal.SIGTERM)
    garbage.look_less_often()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


def _end_listening_at(number: signal.Signals) -> None:
    """At the signal to stop, end what tabs listen to, for which the server would wait; then do as it would."""
    loop, before = asyncio.get_running_loop(), signal.getsignal(number)

    def stop(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(fallbacks.end_all)
        if callable(before):
            before(number, frame)

    signal.signal(number, stop)
