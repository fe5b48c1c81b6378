"""Reading a backend's answer to its end, here or in a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable

from workers.backends.base import Backend, Cancellation, Outcome, Run
from workers.errors import WorkerError

GUARD_SECONDS = 20  # only reached by a test that would hang otherwise


def read(backend: Backend, run: Run, cancellation: Cancellation | None = None) -> tuple[str, Outcome]:
    """The whole text and the outcome."""
    deltas = backend.stream(run, cancellation or Cancellation())
    pieces = []
    while True:
        try:
            pieces.append(next(deltas))
        except StopIteration as end:
            return "".join(pieces), end.value


def read_until_error(backend: Backend, run: Run) -> tuple[str, WorkerError]:
    """What had been read by then, and the error."""
    pieces = []
    try:
        for delta in backend.stream(run, Cancellation()):
            pieces.append(delta)
    except WorkerError as error:
        return "".join(pieces), error
    raise AssertionError("no error came")


def read_until_cancelled(backend: Backend, run: Run, when: Callable[[], object]) -> str:
    """Read in a thread, cancel when `when` returns, and give what had been read once the backend has let go."""
    cancellation = Cancellation()
    read_so_far: list[str] = []
    failures: list[BaseException] = []

    def reader() -> None:
        try:
            read_so_far.extend(backend.stream(run, cancellation))
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=reader)
    thread.start()
    when()
    cancellation.set()
    thread.join(GUARD_SECONDS)
    assert not thread.is_alive(), "the backend still waits"
    assert not failures, failures
    return "".join(read_so_far)
