"""Where the web process waits for its database and for Redis on behalf of sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial, wraps
from typing import ParamSpec, TypeVar

from django.db import close_old_connections, connection
from django.utils.translation import get_language, override

# SQLite lets one write at a time and the others sleep in between: there, queueing here is several times faster.
_COUNT = 16 if connection.vendor == "postgresql" else 1
# Not the one thread that Channels would use for all sockets together: there, one call that waits for a lock of the
# database or a silent Redis would hold up every tab, its pings included.
_THREADS = ThreadPoolExecutor(_COUNT, thread_name_prefix="sockets")
_LOOKING = ThreadPoolExecutor(2, thread_name_prefix="looking")

Given = ParamSpec("Given")
Result = TypeVar("Result")


def in_thread(function: Callable[Given, Result]) -> Callable[Given, Awaitable[Result]]:
    """`function`, which may use the database, as a coroutine function that runs it in a thread.

    Cancelling ends the wait at once, not the thread. (`channels.db.database_sync_to_async` swallows the cancellation
    if its thread is at work, so that a task which loops for ever could not be ended.)
    """

    return _in_one_of(_THREADS, function)


def at_once(function: Callable[Given, Result]) -> Callable[Given, Awaitable[Result]]:
    """The same for a `function` that reads a row or two and changes nothing: it does not queue behind those that do."""
    return _in_one_of(_LOOKING, function)


def _in_one_of(threads: ThreadPoolExecutor, function: Callable[Given, Result]) -> Callable[Given, Awaitable[Result]]:
    @wraps(function)
    async def run(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        # Within the context of the caller, so that the thread's lines in the log are about the same. The language is
        # not part of the context for another thread.
        call = partial(_with_good_connections, get_language(), partial(function, *args, **kwargs))
        call = partial(copy_context().run, call)
        return await asyncio.get_running_loop().run_in_executor(threads, call)

    return run


def _with_good_connections(language: str | None, call: Callable[[], Result]) -> Result:
    close_old_connections()
    try:
        with override(language):
            return call()
    finally:
        close_old_connections()
