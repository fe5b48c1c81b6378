"""What a backend is: code that runs one kind of model. Small enough to write a new one in eight lines."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Run:
    """One run of a model.

    `prompt` is the full list of messages, `[{"role", "content"}]`. Its last message is the text that the role
    works on: what to summarise, what to classify, what to reply to. `options` is what the role needs besides.
    """

    role: str
    prompt: list[dict[str, str]]
    options: dict[str, Any] = field(default_factory=dict)
    identifier: str = ""
    revision: str = ""
    base_url: str = ""
    api_key: str = field(default="", repr=False)
    context_window: int = 4096
    max_output_tokens: int = 1024
    request_id: str = ""  # told to a provider, so that its logs and ours can be laid side by side
    is_warm: bool = False  # the model stays in memory

    @property
    def text(self) -> str:
        """The text that the role works on."""
        return self.prompt[-1]["content"]


@dataclass(frozen=True)
class Outcome:
    """How a run ended. `result` is the answer as data where it has any (label scores)."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    result: Any = None
    was_cut_short: bool = False  # the model reached its output limit


class Cancellation:
    """Tells a running backend to stop; may be set from another thread."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], None]] = []
        self.reason = ""

    def set(self, reason: str = "cancelled") -> None:
        """Ask to stop, once. Callbacks run in the caller's thread."""
        with self._lock:
            if self._event.is_set():
                return
            self.reason = reason
            self._event.set()
            callbacks = list(self._callbacks)
        for callback in callbacks:
            callback()

    def is_set(self) -> bool:
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Sleep, but wake up when asked to stop. True if asked to stop."""
        return self._event.wait(seconds)

    def on_set(self, callback: Callable[[], None]) -> None:
        """Call `callback` when asked to stop, at once if that has happened: to close a socket that blocks."""
        with self._lock:
            if not self._event.is_set():
                self._callbacks.append(callback)
                return
        callback()


# Yields pieces of text and returns how it ended.
Deltas = Generator[str, None, Outcome]


class Backend(ABC):
    """Runs models of one kind. One instance serves all threads of a worker process."""

    @abstractmethod
    def stream(self, run: Run, cancellation: Cancellation) -> Deltas:
        """Run the model. Returns early when cancelled. Raises `workers.errors.WorkerError`."""

    def is_ready(self, run: Run) -> bool:
        """Whether `stream` begins at once. If not, it loads a model first, which may take minutes."""
        return True

    def get_ready(self, run: Run, cancellation: Cancellation) -> None:  # noqa: B027  (most have nothing to load)
        """Load what `stream` needs. Returns early when cancelled. Raises `workers.errors.WorkerError`."""

    def check(self, run: Run) -> str:
        """One sentence saying that the model answers, for “test this”. Raises `workers.errors.WorkerError`."""
        deltas = self.stream(run, Cancellation())
        first = next(deltas, "")
        deltas.close()
        return f"It answers: {first.strip()[:80] or '(nothing)'}"
