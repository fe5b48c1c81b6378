"""Faults inside the product's processes, patched in from outside: the product itself has no switch for them.

A process that runs with `faults.hooked_settings` notes what it executes, and does what `FAULTS` names, separated by
commas. A death is taken from a budget in Redis (`budget`), so that the process which replaces a dead one lives.
"""

from __future__ import annotations

import inspect
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import redis
from django.apps import AppConfig

from workers.connections import client

EXECUTED = "faults:executed"
POISON = "POISON"


def running_key(group: int) -> str:
    """The ids of the completions that a process group runs now."""
    return f"faults:running:{group}"


def taken_key(group: int) -> str:
    """Those, and the ids of the ones that it may be claiming: what its death interrupts."""
    return f"faults:taken:{group}"


def budget_key(fault: str) -> str:
    """How often `fault` may still happen."""
    return f"faults:budget:{fault}"


def die() -> None:
    """As a machine that loses its power: the whole process group, at once."""
    os.killpg(0, signal.SIGKILL)


def die_within_budget(fault: str) -> None:
    if client().decr(budget_key(fault)) >= 0:
        die()


class HooksConfig(AppConfig):
    name = "faults"

    def ready(self) -> None:
        for fault in filter(None, os.environ.get("FAULTS", "").split(",")):
            FAULTS[fault]()
        _note_what_runs()
        if os.environ["TIER"] == "route":
            _load_no_encoder()


def _note_what_runs() -> None:
    """So that the suite can hit busy workers, knows what it has hit, and that something was executed."""
    from workers import completing
    from workers.models import Completion

    claim, run = Completion.claim, completing.run

    def noted_claim(pk: Any, attempt: int) -> Completion | None:
        with suppress(redis.RedisError):  # it may be away: that is what is being tested
            client().sadd(taken_key(os.getpgid(0)), str(pk))
        claimed = claim(pk, attempt)
        if claimed is None:
            _forget(pk)
        return claimed

    def noted(completion: Completion, *args: Any) -> None:
        with suppress(redis.RedisError):
            client().incr(EXECUTED)
            client().sadd(running_key(os.getpgid(0)), str(completion.pk))
        try:
            run(completion, *args)
        finally:
            _forget(completion.pk)

    setattr(Completion, "claim", staticmethod(noted_claim))  # noqa: B010
    completing.run = noted  # type: ignore[assignment]


def _forget(pk: Any) -> None:
    with suppress(redis.RedisError):
        client().srem(running_key(os.getpgid(0)), str(pk))
        client().srem(taken_key(os.getpgid(0)), str(pk))


def _load_no_encoder() -> None:
    """Every message of the suite names its route, so a light worker can start in half the time and memory."""
    import numpy as np

    from workers.encoder import DIMENSIONS, Encoder

    def encode(encoder: Encoder, texts: Sequence[str]) -> Any:
        return np.zeros((len(texts), DIMENSIONS), dtype=np.float32)

    setattr(Encoder, "__call__", encode)  # noqa: B010
    setattr(Encoder, "adapted", lambda encoder, tensors: None)  # noqa: B010


# --- The faults ------------------------------------------------------------------------------------------------

# What somebody without the fence would write: whatever comes is added at the end.
_UNFENCED = """
local have = {}
for event, stream in ipairs(KEYS) do
  local first = 6 * event - 4
  local attempt, sequence = tonumber(ARGV[first]), 0
  local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)
  if last[1] then
    local dash = string.find(last[1][1], '-', 1, true)
    local last_attempt = tonumber(string.sub(last[1][1], 1, dash - 1))
    if last_attempt >= attempt then
      attempt, sequence = last_attempt, tonumber(string.sub(last[1][1], dash + 1))
    end
  end
  redis.call('XADD', stream, attempt .. '-' .. (sequence + 1), 'kind', ARGV[first + 2], 'at', ARGV[first + 3],
             'text', ARGV[first + 4], 'data', ARGV[first + 5])
  have[event] = tonumber(ARGV[first + 1])
end
return have
"""


def unfenced() -> None:
    """Stale attempts write to the stream, and close the row of the attempt that has taken over."""
    from workers import stream
    from workers.jobs import Job

    assert "last_attempt > attempt" in stream._APPEND, "the fence has moved; switch it off where it is now"
    stream._APPEND = _UNFENCED

    def anybody(job: Job) -> Any:
        return type(job)._default_manager.filter(pk=job.pk, status__in=Job.OPEN)

    setattr(Job, "_fenced", anybody)  # noqa: B010


def die_before_claim() -> None:
    """Between taking a task out of its queue and claiming the row."""
    from workers.jobs import Job

    _before(Job, "claim", lambda *_: die_within_budget("die_before_claim"))


def die_before_publishing() -> None:
    """Between the commit of a queued row and its way to the broker, in whichever process commits."""
    from chatsite.chat.models import Turn
    from workers.models import Completion

    for kind in (Turn, Completion):
        _before(kind, "publish", lambda *_: die_within_budget("die_before_publishing"))


def die_before_telling() -> None:
    """Between storing a finished answer and telling its readers."""
    from workers import completing

    close = completing.close_persistently

    def close_and_die(*args: Any, **fields: Any) -> bool:
        if closed := close(*args, **fields):
            die_within_budget("die_before_telling")
        return closed

    completing.close_persistently = close_and_die


def die_of_poison() -> None:
    """An answer that kills the process it is written in."""
    from workers import completing

    run = completing.run

    def run_or_die(completion: Any, *args: Any) -> None:
        if POISON in completion.prompt[-1]["content"]:
            os.kill(os.getpid(), signal.SIGKILL)
        run(completion, *args)

    completing.run = run_or_die  # type: ignore[assignment]


def _before(kind: type, name: str, act: Callable[..., None]) -> None:
    """Call `act` before each call of a method."""
    original = inspect.getattr_static(kind, name)  # also one that is inherited
    function = original.__func__ if isinstance(original, classmethod) else original

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        act(*args)
        return function(*args, **kwargs)

    setattr(kind, name, classmethod(wrapped) if isinstance(original, classmethod) else wrapped)


FAULTS: dict[str, Callable[[], None]] = {
    function.__name__: function
    for function in (unfenced, die_before_claim, die_before_publishing, die_before_telling, die_of_poison)
}
