"""Sentence embeddings for many who ask at once: what has come together while a batch was computed is the next one.

A forward pass over sixteen short texts takes hardly longer than over one. Whoever asks for much gets no more of a batch
than whoever asks for little, so a single sentence never waits behind a whole book. A vector depends, in its last
digits, on what it is computed with; decisions, which have to be the same every time, use `workers.encoder` directly.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, overload

from workers import encoder
from workers.backends.base import Cancellation

if TYPE_CHECKING:
    import numpy as np

BATCH_TOKENS = 2048  # of all texts of a batch: about a third of a second on one core, which is how long others wait
RUNNERS = 2  # batches at a time: the passes of a small model leave gaps that another one fills


@overload
def encode(texts: Sequence[str]) -> np.ndarray: ...
@overload
def encode(texts: Sequence[str], cancellation: Cancellation | None) -> np.ndarray | None: ...
def encode(texts: Sequence[str], cancellation: Cancellation | None = None) -> np.ndarray | None:
    """As `workers.encoder.encode`, together with what other threads ask for; None if cancelled meanwhile."""
    request = _Request(encoder.tokenise(texts))
    if cancellation:
        cancellation.on_set(request.give_up)
    _batcher().submit(request)
    return request.result()


class _Request:
    """The texts of one thread, as tokens, and the vectors as far as they are there."""

    def __init__(self, encodings: list[list[int]]) -> None:
        import numpy as np

        self.encodings = encodings
        self.vectors = np.zeros((len(encodings), encoder.DIMENSIONS), dtype=np.float32)
        self.error: BaseException | None = None
        self.is_given_up = False
        self.is_over = threading.Event()
        self._waiting = sorted(range(len(encodings)), key=lambda index: len(encodings[index]))  # the longest is last
        self._missing = len(encodings)
        if not encodings:
            self.is_over.set()

    @property
    def has_waiting(self) -> bool:
        return bool(self._waiting) and not self.is_over.is_set()

    def result(self) -> np.ndarray | None:
        """The vectors, once they are there; None if it was given up. Raises what computing them raised."""
        self.is_over.wait()
        if self.error:
            raise self.error
        return None if self.is_given_up else self.vectors

    def give_up(self) -> None:
        self.is_given_up = True
        self.is_over.set()

    def take(self, tokens: int) -> list[int]:
        """The next texts, by their places: as many as `tokens` are enough for, and at least one."""
        taken = [self._waiting.pop()]
        tokens -= len(self.encodings[taken[0]])
        while self._waiting and len(self.encodings[self._waiting[-1]]) <= tokens:
            taken.append(self._waiting.pop())
            tokens -= len(self.encodings[taken[-1]])
        return taken

    def receive(self, place: int, vector: np.ndarray) -> None:
        self.vectors[place] = vector
        self._missing -= 1
        if not self._missing:
            self.is_over.set()

    def fail(self, error: BaseException) -> None:
        self.error = error
        self.is_over.set()


class _Batcher:
    """Takes requests, and computes them in threads of its own."""

    def __init__(self, embed: Callable[[list[list[int]]], np.ndarray]) -> None:
        self._embed = embed
        self._requests: list[_Request] = []  # that have texts which nobody computes yet; the oldest is first
        self._changed = threading.Condition()
        for _ in range(RUNNERS):
            threading.Thread(target=self._run, name="batch-runner", daemon=True).start()

    def submit(self, request: _Request) -> None:
        """Have a request computed."""
        with self._changed:
            if request.has_waiting:
                self._requests.append(request)
                self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._has_waiting)
                batch = self._next_batch()
            try:
                vectors = self._embed([request.encodings[place] for request, place in batch])
            except Exception as error:
                for request in {request for request, _ in batch}:
                    request.fail(error)
                continue
            with self._changed:  # two runners may have texts of one request
                for (request, place), vector in zip(batch, vectors, strict=True):
                    request.receive(place, vector)

    def _has_waiting(self) -> bool:
        self._requests = [request for request in self._requests if request.has_waiting]
        return bool(self._requests)

    def _next_batch(self) -> list[tuple[_Request, int]]:
        """The same share of a batch for everybody who waits, the oldest first."""
        share = BATCH_TOKENS // len(self._requests)
        batch: list[tuple[_Request, int]] = []
        tokens = 0
        for request in self._requests:
            if tokens >= BATCH_TOKENS:
                break
            taken = request.take(share)
            batch += [(request, place) for place in taken]
            tokens += sum(len(request.encodings[place]) for place in taken)
        self._requests.append(self._requests.pop(0))  # so that more than a batch has room for take turns
        return batch


@cache
def _batcher() -> _Batcher:
    return _Batcher(encoder.embed)
