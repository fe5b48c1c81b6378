"""The order of a start, and of the end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import cast

from chatsite.launch import preflight, readiness
from chatsite.launch.embedded_redis import EmbeddedRedis
from chatsite.launch.instance import end_leftovers, mark, only_one
from chatsite.launch.messages import LaunchError, say
from chatsite.launch.procfile import Process, read
from chatsite.launch.supervisor import Supervisor

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Celery's, to whoever is root; it is about pickled tasks, and ours are JSON only.
NEEDLESS_WARNING = "ignore:You're running the worker with superuser privileges"


def launch(*, folder: Path, procfile: Path, var_dir: Path, port: int, address: str) -> None:
    """Start everything, wait for a signal, end everything. Raises LaunchError if the start cannot go on."""
    preflight.check_python()
    preflight.check_folder(var_dir)
    with only_one(var_dir, address):
        if count := end_leftovers(var_dir):
            say(f"Ended {count} processes that an earlier start had left behind.")
        preflight.check_port(port)
        environment = _environment(var_dir, port)
        if environment.get("BROKER_URL"):
            preflight.check_broker(environment["BROKER_URL"])
        server = None
        if "REDIS_URL" in environment:
            preflight.check_redis(environment["REDIS_URL"])
        else:
            server = EmbeddedRedis(var_dir)
            environment["REDIS_URL"] = server.url
        try:
            processes = read(procfile, environment)
            asyncio.run(_Launch(processes, server, environment, folder, address).until_signalled())
        finally:
            end_leftovers(var_dir)
            if server:
                server.forget()


def _environment(var_dir: Path, port: int) -> dict[str, str]:
    """What every process is given: this Python's programs first on PATH, output at once, our mark."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    given = {name: value for name, value in os.environ.items() if name != "REDIS_URL" or value}
    warnings = ",".join(filter(None, [NEEDLESS_WARNING, os.environ.get("PYTHONWARNINGS")]))
    own = {"PATH": path, "PORT": str(port), "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": warnings}
    return given | own | mark(var_dir)


class _Launch:
    """One start, from the first process to the last."""

    def __init__(
        self,
        processes: list[Process],
        server: EmbeddedRedis | None,
        environment: dict[str, str],
        folder: Path,
        address: str,
    ) -> None:
        self._processes = processes
        self._server = server
        self._redis = Process("redis", server.command) if server else None
        self._environment = environment
        self._folder = folder
        self._address = address
        self._is_up = False
        self._stop = asyncio.Event()
        self._failure: str | None = None

    async def until_signalled(self) -> None:
        """Raises LaunchError if something fails before everything is up."""
        supervisor = Supervisor(
            self._processes,
            foundation=self._redis,
            environment=self._environment,
            folder=self._folder,
            on_end=self._ended,
        )
        for number in STOP_SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, self._stop.set)
        async with supervisor:
            starting = asyncio.create_task(self._start(supervisor))
            stopping = asyncio.create_task(self._stop.wait())
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()  # raises what made the start fail
                await stopping
            else:
                starting.cancel()
                await asyncio.wait({starting})
            say("Stopping")
        if self._failure:
            raise LaunchError(self._failure)
        say("Stopped")

    async def _start(self, supervisor: Supervisor) -> None:
        began = time.monotonic()
        if self._redis and self._server:
            await self._start_redis(supervisor, self._redis, self._server)
        say("Preparing the database")
        link = await self._prepare()
        say("Starting " + ", ".join(process.name for process in self._processes))
        for process in self._processes:
            await supervisor.start(process)
        supervisor.watch()
        await readiness.wait_for_all(
            self._processes,
            port=int(self._environment["PORT"]),
            redis_url=self._environment["REDIS_URL"],
            still_waiting=lambda names: say("Waiting for " + ", ".join(names)),
        )
        self._is_up = True
        say(
            f"Switchyard runs at {self._address} (up in {time.monotonic() - began:.0f} s, Ctrl-C ends it). "
            f"Sign in, once, with {link}"
        )

    async def _start_redis(self, supervisor: Supervisor, process: Process, server: EmbeddedRedis) -> None:
        say("Starting the embedded Redis")
        await supervisor.start(process)
        if not await readiness.wait_for_redis(server.url, is_running=lambda: supervisor.is_running(process)):
            raise LaunchError(f"The embedded Redis did not start; {server.log} says why.")

    async def _prepare(self) -> str:
        """Run `chatsite.launch.prepare`, pass on its progress, and return the sign-in link."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "chatsite.launch.prepare"),
            stdout=PIPE,
            stderr=PIPE,
            env=self._environment,
            cwd=self._folder,
            start_new_session=True,  # Ctrl-C is the launcher's business
        )
        progress, result = cast(asyncio.StreamReader, process.stderr), cast(asyncio.StreamReader, process.stdout)
        try:
            async for line in progress:
                say(line.decode(errors="replace").rstrip())
            link = (await result.read()).decode().strip()
            if await process.wait():
                raise LaunchError("The database could not be prepared; the lines above say why.")
            return link
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()

    def _ended(self, name: str, reason: str) -> None:
        if self._is_up:
            say(f"{name} {reason} and is started again.")
        elif not self._failure:
            self._failure = f"{name} {reason} before everything was up; its lines above say why."
            self._stop.set()
