"""Real processes for tests: workers, the reaper, the web server. Each is ended by its own process group."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings

from workers import presence
from workers.connections import client

ROOT = Path(__file__).resolve().parent.parent


def environment(**more: str) -> dict[str, str]:
    """What child processes are told: the suite's database instead of the one people use."""
    database = str(settings.DATABASES["default"]["NAME"])
    return {**os.environ, "SQLITE_PATH": database, "DJANGO_SETTINGS_MODULE": "chatsite.settings", **more}


def wait_until(condition: Callable[[], object], seconds: float = 30, what: str = "the condition") -> None:
    """Return as soon as `condition` holds; fail after a generous time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what}"
        time.sleep(0.02)


class Process:
    """A child in a process group of its own, with its output in a file to look at when a test fails."""

    def __init__(self, *command: str, **environ: str) -> None:
        self.log = Path(settings.VAR_DIR) / f"{'-'.join(command)[-60:].replace('/', '_')}-{time.time_ns()}.log"
        with self.log.open("wb") as output:
            self._popen = subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env=environment(**environ),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._popen.pid

    def is_running(self) -> bool:
        return self._popen.poll() is None

    def wait(self, seconds: float) -> int:
        """Its exit status, once it has ended by itself."""
        return self._popen.wait(seconds)

    def kill(self) -> None:
        """SIGKILL to the whole group, as if the machine had died."""
        self.send(signal.SIGKILL)
        self._popen.wait(10)

    def send(self, number: int) -> None:
        if self.is_running():
            os.killpg(self.pid, number)

    def stop(self) -> None:
        self.send(signal.SIGTERM)
        try:
            self._popen.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()


def said_by(pid: int) -> presence.Process | None:
    """What the worker process with this number says of itself; None if it is not there."""
    return next((process for process in presence.processes() if process.name.endswith(f":{pid}")), None)


def says_it_serves(pid: int, *queues: str) -> bool:
    """Whether the worker process with this number says of itself that it takes work from `queues`."""
    said = said_by(pid)
    return said is not None and all(map(said.serves, queues))


@contextmanager
def pretended_worker(name: str = "elsewhere:1", **facts: Any) -> Iterator[presence.Process]:
    """What a worker on another machine would say of itself (the fields of `presence.Process`)."""
    process = presence.Process(name, **facts)
    client().set(presence.key(name), orjson.dumps(process), px=60_000)
    client().sadd(presence.INDEX, name)
    try:
        yield process
    finally:
        client().delete(presence.key(name))


def start_worker(*queues: str, concurrency: int = 8, **environ: str) -> Process:
    """A Celery worker process that serves `queues`, or will in a moment: see `wait_for_worker`."""
    options = ["-Q", ",".join(queues), "--pool", "threads", "--concurrency", str(concurrency)]
    options += ["-n", f"{os.urandom(4).hex()}@test", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    return Process("-m", "celery", "-A", "chatsite", "worker", *options, **environ)


def wait_for_worker(process: Process, *queues: str) -> None:
    """Return when the worker says that it serves `queues`."""
    wait_until(
        lambda: not process.is_running() or says_it_serves(process.pid, *queues), 60, f"the worker of {queues[0]}"
    )
    assert process.is_running(), process.log.read_text()


@contextmanager
def worker(*queues: str, concurrency: int = 8, **environ: str) -> Iterator[Process]:
    """A Celery worker process that serves `queues`; ready when it says that it is alive."""
    process = start_worker(*queues, concurrency=concurrency, **environ)
    try:
        wait_for_worker(process, *queues)
        yield process
    finally:
        process.stop()


@contextmanager
def reaper(**environ: str) -> Iterator[Process]:
    process = Process("manage.py", "reaper", **environ)
    try:
        yield process
    finally:
        process.stop()


def start_web(port: int, **environ: str) -> Process:
    """The web server on a port, or soon: see `wait_for_web`."""
    command = ["-m", "uvicorn", "chatsite.asgi:application", "--port", str(port), "--no-access-log"]
    options = ["--ws", "websockets-sansio", "--ws-per-message-deflate", "false"]
    return Process(*command, *options, "--timeout-graceful-shutdown", "2", **environ)


def wait_for_web(process: Process, port: int) -> None:
    """Return when the web server answers."""

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/sign-in/", timeout=2) as response:
                return bool(response.status == 200)
        except (OSError, urllib.error.URLError):
            assert process.is_running(), process.log.read_text()
            return False

    wait_until(answers, 60, "the web server")


@contextmanager
def web(port: int, **environ: str) -> Iterator[Process]:
    """The web server on a port; ready when it answers."""
    process = start_web(port, **environ)
    try:
        wait_for_web(process, port)
        yield process
    finally:
        process.stop()
