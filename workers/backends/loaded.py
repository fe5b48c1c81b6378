"""Models in the memory of this process: loaded once for all threads, let go when nobody has used them for long.

A model that is marked to be kept ready stays. Of the others `MODELS_KEPT` have their place; one that is in use is
never taken away.
"""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from django.conf import settings

from workers import presence
from workers.backends.base import Cancellation

MODELS_KEPT = 2


AnyModel = TypeVar("AnyModel")
Key = tuple[str, str]  # identifier and revision


@dataclass(eq=False)
class _Place(Generic[AnyModel]):
    """Where a model is, or will be when it is loaded."""

    model: Future[AnyModel] = field(default_factory=Future)
    users: int = 0
    is_kept: bool = False
    idle_since: float = 0.0

    @property
    def is_ready(self) -> bool:
        return self.model.done()

    @property
    def is_idle(self) -> bool:
        return self.is_ready and not self.users and not self.is_kept


class LoadedModels(Generic[AnyModel]):
    """The models of one kind that this process has in memory."""

    def __init__(self, load: Callable[[str, str], AnyModel], kept: int = MODELS_KEPT) -> None:
        self._load = load
        self._kept = kept
        self._places: OrderedDict[Key, _Place[AnyModel]] = OrderedDict()  # the one that was used last comes last
        self._changed = threading.Condition()
        self._caretaker: threading.Thread | None = None

    def is_ready(self, identifier: str, revision: str) -> bool:
        """Whether a model is in memory, so that nobody has to wait for it."""
        with self._changed:
            place = self._places.get((identifier, revision))
            return place is not None and place.is_ready

    @contextmanager
    def use(
        self, identifier: str, revision: str, cancellation: Cancellation, *, is_kept: bool = False
    ) -> Iterator[AnyModel | None]:
        """The model, loaded first if need be; None if cancelled meanwhile. It stays as long as the block goes on.

        `is_kept`: from now on it stays in memory even if nobody uses it. Raises what loading it raises.
        """
        key = (identifier, revision)
        with self._changed:
            place = self._place(key)
            place.users += 1
            place.is_kept = is_kept
        try:
            yield _loaded(place.model, cancellation)
        finally:
            with self._changed:
                place.users -= 1
                place.idle_since = time.monotonic()
                self._changed.notify_all()

    def _place(self, key: Key) -> _Place[AnyModel]:
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = _Place()
            threading.Thread(target=self._fill, args=[key, place], name="model-loading", daemon=True).start()
        if self._caretaker is None:
            self._caretaker = threading.Thread(target=self._take_care, name="model-caretaker", daemon=True)
            self._caretaker.start()
        self._places.move_to_end(key)
        self._changed.notify_all()
        return place

    def _fill(self, key: Key, place: _Place[AnyModel]) -> None:
        """In a thread of its own, so that whoever waits can give up."""
        try:
            with presence.own.loading(_name(key)):
                model = self._load(*key)
        except BaseException as error:
            with self._changed:
                del self._places[key]  # the next one who asks tries again
            place.model.set_exception(error)
            return
        with self._changed:
            place.idle_since = time.monotonic()
            place.model.set_result(model)
            self._changed.notify_all()

    # --- letting go --------------------------------------------------------------------------------------------

    def _take_care(self) -> None:
        while True:
            with self._changed:
                while not (keys := self._to_let_go()):
                    self._changed.wait(self._seconds_until_idle())
                for key in keys:
                    del self._places[key]
            for key in keys:
                presence.own.unloaded(_name(key))
            _give_memory_back()

    def _to_let_go(self) -> list[Key]:
        """Those that have been idle for long, and the oldest idle ones of more than there are places for."""
        now = time.monotonic()
        idle = [key for key, place in self._places.items() if place.is_idle]
        surplus = sum(not place.is_kept for place in self._places.values()) - self._kept
        return [
            key
            for position, key in enumerate(idle)
            if position < surplus or now - self._places[key].idle_since >= settings.MODEL_IDLE_SECONDS
        ]

    def _seconds_until_idle(self) -> float | None:
        idle_since = [place.idle_since for place in self._places.values() if place.is_idle]
        return max(0.0, min(idle_since) + settings.MODEL_IDLE_SECONDS - time.monotonic()) if idle_since else None


def _loaded(model: Future[AnyModel], cancellation: Cancellation) -> AnyModel | None:
    over = threading.Event()
    model.add_done_callback(lambda _: over.set())
    cancellation.on_set(over.set)
    over.wait()
    return model.result() if model.done() else None


def _give_memory_back() -> None:
    """What refers to itself in circles is still there, and PyTorch keeps what a GPU has freed."""
    gc.collect()
    if torch := sys.modules.get("torch"):
        torch.cuda.empty_cache()


def _name(key: Key) -> str:
    """The name under which people find it."""
    identifier, revision = key
    return f"{identifier}@{revision[:8]}" if revision else identifier
