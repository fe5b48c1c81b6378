"""Runs the processes under circus, which starts again what dies.

Circus is driven from the launcher's own event loop: its look at the processes (`manage_watchers`) reaps every
child of the launcher, so it happens only once the launcher has no other children, and never during a stop.
Watchers are made without circus's configuration reader, which would replace every `$NAME` in the values of the
environment, passwords included.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from circus.arbiter import Arbiter
from circus.watcher import Watcher
from tornado.ioloop import IOLoop

from chatsite.launch.messages import ProcessLog
from chatsite.launch.procfile import Process

LOOK_SECONDS = 1.0
# Longer than any process takes by itself: uvicorn closes its sockets within 5 s, a worker hands over what it writes
# after 15 s.
STOP_SECONDS = 20.0


class Supervisor:
    """Starts, watches and stops processes; as a context manager it stops them all at its end.

    `foundation` is what the others need until their end, so it is stopped after them. `on_end(name, reason)` is
    told of each process that ends without having been asked to.
    """

    def __init__(
        self,
        processes: list[Process],
        *,
        foundation: Process | None,
        environment: Mapping[str, str],
        folder: Path,
        on_end: Callable[[str, str], None],
    ) -> None:
        self._environment = dict(environment)
        self._folder = folder
        self._on_end = on_end
        self._foundation = foundation
        self._stopping = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        everything = [*([foundation] if foundation else []), *processes]
        self._arbiter = Arbiter(
            [self._watcher(process, position) for position, process in enumerate(everything)],
            # Circus's remote control stays inside this process, where nobody can reach it.
            "inproc://switchyard-controller",
            "inproc://switchyard-events",
            loop=IOLoop.current(),
            check_delay=-1,
        )

    async def __aenter__(self) -> Supervisor:
        await self._arbiter.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._stopping.set()
        if self._watching:
            await self._watching
        await self._arbiter.stop_watchers(self._all_but_foundation)
        await self._arbiter.stop()
        await asyncio.sleep(0)  # circus closes its sockets in a callback

    async def start(self, process: Process) -> None:
        await self._arbiter.get_watcher(process.name).start()

    def is_running(self, process: Process) -> bool:
        return bool(self._arbiter.get_watcher(process.name).get_active_pids())

    def watch(self) -> None:
        """From now on, start again what ends."""
        self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while not self._stopping.is_set():
            await self._arbiter.manage_watchers()
            try:
                await asyncio.wait_for(self._stopping.wait(), LOOK_SECONDS)
            except TimeoutError:
                continue

    def _watcher(self, process: Process, position: int) -> Watcher:
        hooks: dict[str, tuple[Callable[..., None], bool]] = {
            "before_reap": (self._hear_out, True),
            "after_reap": (self._ended, True),
        }
        return Watcher(
            process.name,
            shlex.join(process.command),
            env=self._environment,
            working_dir=str(self._folder),
            stdout_stream={"stream": ProcessLog(process.name, position)},
            stderr_stream={"stream": ProcessLog(process.name, position)},
            graceful_timeout=STOP_SECONDS,
            autostart=False,
            hooks=hooks,
        )

    def _all_but_foundation(self, reverse: bool) -> list[Watcher]:
        name = self._foundation.name if self._foundation else None
        return [watcher for watcher in self._arbiter.iter_watchers(reverse) if watcher.name != name]

    def _hear_out(self, watcher: Watcher, process_pid: int, **_: Any) -> None:
        """Pass on what a process wrote last, which says why it ended: circus closes its pipes without a look."""
        if self._stopping.is_set():
            return  # the pipes are closed already
        redirector = watcher.stream_redirector
        for name, pipe in redirector.get_process_pipes(watcher.processes[process_pid]):
            os.set_blocking(pipe.fileno(), False)
            with suppress(BlockingIOError):  # a child of the process still holds the pipe
                while piece := os.read(pipe.fileno(), 65536):
                    redirector.get_stream(name)({"data": piece})
            redirector.get_stream(name)({"data": b"\n"})

    def _ended(self, watcher: Watcher, exit_code: int, **_: Any) -> None:
        if not self._stopping.is_set():
            self._on_end(watcher.name, _reason(exit_code))


def _reason(exit_code: int) -> str:
    if exit_code < 0:
        return f"was ended by {signal.Signals(-exit_code).name}"
    return f"ended with exit code {exit_code}"
