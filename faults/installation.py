"""A whole installation whose processes can be killed, frozen and replaced, as a supervisor would replace them."""

from __future__ import annotations

import math
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from faults import hooks
from tests import processes
from tests.environment import free_port
from tests.processes import Process
from workers.connections import client

SUPERVISION_SECONDS = 0.05
REAPER_PAUSE_SECONDS = 2.0


class Part:
    """One process that is started again whenever it has died, as long as it is supervised."""

    def __init__(
        self, start: Callable[[], Process], wait: Callable[[Process], None] | None = None, pause_seconds: float = 0
    ) -> None:
        self._start = start
        self._wait = wait
        self._pause_seconds = pause_seconds  # between a death and the next start
        self._died_at = 0.0
        self.starts = 1
        self.is_supervised = True
        self.process = start()

    def wait(self) -> None:
        """Until it does its work."""
        if self._wait:
            self._wait(self.process)

    def start(self) -> None:
        self.process = self._start()
        self.starts += 1

    def replace_if_dead(self) -> None:
        if self.process.is_running() or not self.is_supervised:
            return
        self._died_at = self._died_at or time.monotonic()
        if time.monotonic() - self._died_at >= self._pause_seconds:
            self._died_at = 0.0
            self.start()

    def running(self) -> set[str]:
        """The ids of the completions that it runs now."""
        return _ids(hooks.running_key(self.process.pid))

    def kill(self) -> set[str]:
        """`kill -9 -<process group>`; the ids of the completions that it interrupted."""
        process = self.process
        process.kill()
        return _ids(hooks.taken_key(process.pid))


def _ids(key: str) -> set[str]:
    return {pk.decode() for pk in client().smembers(key)}


@dataclass
class Hit:
    """A fault that hit a process while it ran these completions."""

    at: float
    completions: set[str]


@dataclass
class Installation:
    """Everything that answers."""

    webs: list[Part] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)
    routes: list[Part] = field(default_factory=list)
    remotes: list[Part] = field(default_factory=list)
    reapers: list[Part] = field(default_factory=list)

    @property
    def parts(self) -> list[Part]:
        return [*self.webs, *self.routes, *self.remotes, *self.reapers]

    def busy_worker(self, chance: random.Random) -> tuple[Part, set[str]] | None:
        """A worker that is running answers, and which; None if none does."""
        busy = [(part, running) for part in self.remotes if (running := part.running())]
        return chance.choice(busy) if busy else None

    def kill_busy_worker(self, chance: random.Random) -> Hit | None:
        """Kill a worker that is running answers; None if none does."""
        if found := self.busy_worker(chance):
            part, _ = found
            return Hit(time.monotonic(), part.kill())
        return None

    def wait(self) -> None:
        for part in self.parts:
            part.wait()


def executed() -> int:
    """How many attempts have been begun by workers: the canary of every run."""
    return int(client().get(hooks.EXECUTED) or 0)


@contextmanager
def installation(
    webs: int = 1,
    routes: int = 1,
    remotes: int = 2,
    reapers: int = 1,
    concurrency: int = 32,
    faults: dict[str, str] | None = None,
    environs: dict[str, dict[str, str]] | None = None,
    **environ: str,
) -> Iterator[Installation]:
    """Start all processes and supervise them.

    `faults` names those of `faults.hooks` by tier (web, route, remote, reaper), `environs` has more of the environment
    of a tier's processes.
    """
    ports = [free_port() for _ in range(webs)]

    def told(tier: str) -> dict[str, str]:
        named = (faults or {}).get(tier, "")
        special = (environs or {}).get(tier, {})
        return {**environ, **special, "DJANGO_SETTINGS_MODULE": "faults.hooked_settings", "TIER": tier, "FAULTS": named}

    def worker(queue: str, threads: int, tier: str) -> Part:
        start = partial(processes.start_worker, queue, concurrency=threads, **told(tier))
        return Part(start, lambda process: processes.wait_for_worker(process, queue))

    def web(port: int) -> Part:
        start = partial(processes.start_web, port, **told("web"))
        return Part(start, lambda process: processes.wait_for_web(process, port))

    def reaper() -> Part:
        start = partial(processes.Process, "manage.py", "reaper", **told("reaper"))
        return Part(start, pause_seconds=REAPER_PAUSE_SECONDS)

    made = Installation(ports=ports)
    stop = threading.Event()
    supervisor = threading.Thread(target=_supervise, args=(made, stop))
    try:
        made.routes += [worker("route", 4, "route") for _ in range(routes)]
        made.remotes += [worker("remote", concurrency, "remote") for _ in range(remotes)]
        made.webs += [web(port) for port in ports]
        made.reapers += [reaper() for _ in range(reapers)]
        made.wait()
        supervisor.start()
        yield made
    finally:
        stop.set()
        if supervisor.is_alive():
            supervisor.join()
        _end([part.process for part in made.parts])


def _supervise(made: Installation, stop: threading.Event) -> None:
    while not stop.wait(SUPERVISION_SECONDS):
        for part in made.parts:
            part.replace_if_dead()


def _end(ending: list[Process]) -> None:
    """All at the same time; a frozen one cannot be asked."""
    for process in ending:
        process.send(signal.SIGCONT)
        process.send(signal.SIGKILL)
    for process in ending:
        process.kill()


class Takeover(NamedTuple):
    """How long an answer stood still that was interrupted: seconds until the first text of a later attempt."""

    since_first: float  # what a person sees
    since_last: float  # without the time that went by until it was hit again before it got to write


def takeovers(hits: list[Hit], seen_by_completion: dict[str, list[Any]]) -> list[Takeover]:
    """Of every answer that was interrupted, each time that it went on."""
    return [
        takeover
        for completion in set().union(*(hit.completions for hit in hits))
        for takeover in _takeovers_of(
            [hit.at for hit in hits if completion in hit.completions], seen_by_completion.get(completion, [])
        )
    ]


def _takeovers_of(hits: list[float], seen: list[Any]) -> Iterator[Takeover]:
    first: float | None = None
    for at, next_at in zip(hits, [*hits[1:], math.inf], strict=True):
        before = max((attempt_of(frame) for frame in seen if frame.at <= at + 0.25), default=0)
        text = next((f.at for f in seen if f.kind in ("delta", "snapshot") and attempt_of(f) > before), None)
        first = at if first is None else first
        if text is not None and text <= next_at:
            yield Takeover(text - first, text - at)
            first = None


def attempt_of(frame: Any) -> int:
    return int(frame.offset.split("-")[0]) if frame.offset else 0
