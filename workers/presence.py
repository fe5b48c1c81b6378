"""Presence: what every worker process says of itself, who is there, and who has died.

A worker process keeps one value in Redis, under `process:<host>:<pid>`, with the life of a lease. The timer of
`workers.leases` writes it again and again, and at once after a change. The set `processes` has the names, so nobody
has to search for them; a name whose value has run out is taken off by whoever reads it.

It also holds a tie: a connection to Redis that subscribes to a channel of its own, on which nobody speaks. However a
process dies, its system closes that at once, and Redis tells how many subscribers a channel has.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import Any

import orjson
import psutil
from django.conf import settings

from workers.code import own_code
from workers.connections import client

INDEX = "processes"
WRITE_SECONDS = 0.25
SILENT_SECONDS = 0.6  # two times that nothing was written


@dataclass(frozen=True)
class Process:
    """A worker process, as it described itself within the last seconds."""

    name: str  # host:pid
    queues: list[str] = field(default_factory=list)  # empty while it starts
    slots: int = 0  # how many tasks it runs at a time
    running: int = 0  # how many it has now
    models: dict[str, str] = field(default_factory=dict)  # by name: loading, or ready
    memory_bytes: int = 0  # resident
    code: str = ""  # the digest of `workers.code`
    code_changed_at: float = 0.0  # seconds since 1970, as all times here
    started_at: float = 0.0
    is_draining: bool = False  # takes nothing more; the queues are those that it comes back to

    @property
    def is_drained(self) -> bool:
        return self.is_draining and not self.running

    def serves(self, queue: str) -> bool:
        """Whether it takes work from `queue`."""
        return queue in self.queues and not self.is_draining


def key(name: str) -> str:
    """Where the process `name` keeps its value."""
    return f"process:{name}"


def tie_channel(name: str) -> str:
    """The channel that the process `name` subscribes to."""
    return f"alive:{name}"


def parse(value: bytes) -> Process:
    """A process from its value. Fields that other versions of the code have, or lack, do no harm."""
    known = {field.name for field in fields(Process)}
    return Process(**{name: fact for name, fact in orjson.loads(value).items() if name in known})


def processes() -> list[Process]:
    """All worker processes that live, by name. Raises `redis.RedisError`."""
    names = sorted(name.decode() for name in client().smembers(INDEX))
    values = client().mget(map(key, names)) if names else []
    if gone := [name for name, value in zip(names, values, strict=True) if value is None]:
        client().srem(INDEX, *gone)
    return [parse(value) for value in values if value is not None]


def dead(names: Iterable[str]) -> set[str]:
    """Of these processes, those that have died: their ties are cut, and they are silent. Raises `redis.RedisError`.

    Either alone says nothing: the connection of one that lives can break, and one that is frozen is silent as well.
    """
    asked = list(names)
    if not asked:
        return set()
    with client().pipeline(transaction=False) as pipeline:
        pipeline.pubsub_numsub(*map(tie_channel, asked))
        for name in asked:
            pipeline.pttl(key(name))
        tied, *lives_ms = pipeline.execute()
    silent_ms = (settings.LEASE_SECONDS - SILENT_SECONDS) * 1000
    found = zip(asked, tied, lives_ms, strict=True)
    return {name for name, (_, subscribers), life_ms in found if not subscribers and life_ms < silent_ms}


class Tie:
    """The tie of this process."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._subscription: Any = None
        self.name = ""  # of the process, while Redis says that it is tied

    def follow(self, name: str, is_tied: bool) -> None:
        """Do what Redis' word on the tie of the process `name` asks for. Raises `redis.RedisError`.

        Where it is cut, the leases name nobody from now on; it is mended the next time, as that may take long.
        """
        if is_tied:
            self.name = name
        elif self.name:
            self.name = ""
        else:
            if self._subscription:
                self._subscription.close()
            self._subscription = self._client.pubsub()
            self._subscription.subscribe(tie_channel(name))


def is_served(queue: str) -> bool:
    """Whether a living worker takes tasks from `queue`. Raises `redis.RedisError`."""
    return any(process.serves(queue) for process in processes())


def is_served_by_newer_code(queue: str) -> bool:
    """Whether a living worker with newer code than this process takes tasks from `queue`. Raises `redis.RedisError`."""
    own = own_code()
    return any(
        process.serves(queue) and process.code != own.digest and process.code_changed_at > own.changed_at
        for process in processes()
    )


class OwnPresence:
    """What this process says of itself, once it has appeared. Any thread may change it."""

    def __init__(self) -> None:
        self.changed = threading.Event()  # wakes the timer that writes
        self.on_tick: Callable[[], None] = lambda: None  # called whenever it has written
        self._lock = threading.RLock()
        self._process = Process("")
        self._is_here = False

    @property
    def name(self) -> str:
        return self._process.name

    @property
    def is_draining(self) -> bool:
        return self._process.is_draining

    def appear(self, slots: int) -> None:
        """From now on it is there, with this many slots; it serves nothing yet."""
        name = f"{socket.gethostname()}:{os.getpid()}"
        code = own_code()
        self._change(name=name, slots=slots, code=code.digest, code_changed_at=code.changed_at, started_at=time.time())
        self._is_here = True

    def announce(self, queues: Iterable[str]) -> None:
        """It serves these queues too."""
        with self._lock:
            self._change(queues=sorted({*self._process.queues, *queues}))

    @contextmanager
    def loading(self, model: str) -> Iterator[None]:
        """A model is being loaded, and ready after that. One that cannot be loaded is forgotten."""
        self._say_of_model(model, "loading")
        try:
            yield
        except BaseException:
            self.unloaded(model)
            raise
        self._say_of_model(model, "ready")

    def unloaded(self, model: str) -> None:
        """A model is not in memory any more."""
        with self._lock:
            self._change(models={name: state for name, state in self._process.models.items() if name != model})

    def drain(self, is_draining: bool) -> None:
        """It takes nothing more; or it does again."""
        self._change(is_draining=is_draining)

    def leave(self) -> None:
        """It ends. Raises `redis.RedisError`."""
        self._is_here = False
        client().delete(key(self.name))
        client().srem(INDEX, self.name)

    def write(self, pipeline: Any, life_ms: int) -> None:
        """Queue what has to be said in a pipeline of Redis commands."""
        if not self._is_here:
            return
        from celery.worker.state import reserved_requests

        now = replace(self._process, running=len(reserved_requests), memory_bytes=psutil.Process().memory_info().rss)
        pipeline.set(key(now.name), orjson.dumps(now), px=life_ms)
        pipeline.sadd(INDEX, now.name)

    def _say_of_model(self, model: str, state: str) -> None:
        with self._lock:
            self._change(models={**self._process.models, model: state})

    def _change(self, **facts: Any) -> None:
        with self._lock:
            self._process = replace(self._process, **facts)
        self.changed.set()


own = OwnPresence()
