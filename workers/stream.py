"""Writing to a reply's stream: fenced by attempt, numbered without gaps, batched by itself.

All writers of a process share one flusher thread with a single call of Redis in flight; whatever arrives meanwhile
goes out together next time. Measured best at every load: a publish per token costs five to seven times the processor.

A writer remembers its events until it ends. If Redis lost some (a restart without the last second, a wipe), the
script answers with what it still has, and the writer sends the rest again under the same numbers: readers, who ask
for what comes after the last number they saw, notice nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import orjson
import redis
from django.conf import settings

from workers.connections import client, stream_key
from workers.events import Event, Kind

if TYPE_CHECKING:
    from workers.backends.base import Cancellation

logger = logging.getLogger(__name__)

EVENTS_AT_ONCE = 500

# Appends events, each in one step. KEYS: the stream of each event. ARGV: the lifetime of streams in milliseconds, then
# of each event attempt, sequence (0: the next), kind, position, text, data. Returns for each event the last sequence of
# its attempt on its stream, or -1 if a later attempt has begun.
_APPEND = """
local function append(stream, attempt, sequence, kind, at, text, data)
  local last, have = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1), 0
  if last[1] then
    local dash = string.find(last[1][1], '-', 1, true)
    local last_attempt = tonumber(string.sub(last[1][1], 1, dash - 1))
    if last_attempt > attempt then return -1 end
    if last_attempt == attempt then have = tonumber(string.sub(last[1][1], dash + 1)) end
  end
  if sequence == 0 then sequence = have + 1 end
  if sequence == have + 1 then
    redis.call('XADD', stream, attempt .. '-' .. sequence, 'kind', kind, 'at', at, 'text', text, 'data', data)
    have = sequence
  end
  redis.call('PEXPIRE', stream, ARGV[1])
  return have
end
local have = {}
for event, stream in ipairs(KEYS) do
  local argument = 6 * event - 4
  have[event] = append(stream, tonumber(ARGV[argument]), tonumber(ARGV[argument + 1]),
                       ARGV[argument + 2], ARGV[argument + 3], ARGV[argument + 4], ARGV[argument + 5])
end
return have
"""


@dataclass(frozen=True)
class _Entry:
    kind: str
    position: int
    text: str
    data: bytes


@dataclass(frozen=True)
class _Place:
    """Where an entry goes."""

    stream: str
    attempt: int
    sequence: int  # 0: the next


class Written(NamedTuple):
    """What one try of a model has written."""

    text: str = ""
    model: str = ""  # its name


def append(reply_id: UUID, attempt: int, kind: str, data: dict[str, Any], text: str = "") -> None:
    """Append one event at once, outside any writer: for those who end a job that nobody is running.

    `text` is what an earlier attempt has written and the answer stays with; it comes before the event.
    Raises `redis.RedisError`; what comes too late (a later attempt has begun) is dropped.
    """
    entries = [_Entry(Kind.RESET, 0, "", b"{}"), _Entry(Kind.DELTA, 0, text, b"{}")] if text else []
    entries.append(_Entry(kind, len(text), "", orjson.dumps(data)))
    place = _Place(stream_key(reply_id), attempt, 0)
    _append([(place, entry) for entry in entries])


def written(reply_id: UUID, attempts: int) -> Written:
    """The most that a try in the first `attempts` (from 1) has written: what readers see until another is as long.

    Raises `redis.RedisError`.
    """
    most, model, pieces = Written(), "", list[str]()
    for entry in client().xrange(stream_key(reply_id), max=str(attempts)):
        event = Event.from_entry(*entry)
        if event.kind in (Kind.STARTED, Kind.RESET):
            most = _longer(most, Written("".join(pieces), model))
            model, pieces = event.data.get("model", ""), []
        pieces.append(event.text)
    return _longer(most, Written("".join(pieces), model))


def _longer(earlier: Written, later: Written) -> Written:
    return later if len(later.text) >= len(earlier.text) else earlier


def forget(*reply_ids: UUID) -> None:
    """Drop the streams of replies, with the ends that they have told: for attempts that begin anew, or for good.

    Raises `redis.RedisError`.
    """
    client().delete(*map(stream_key, reply_ids))


def _append(placed: list[tuple[_Place, _Entry]]) -> list[int]:
    """Call the script for all of them at once. Raises `redis.RedisError`."""
    keys: list[Any] = []
    arguments: list[Any] = [settings.STREAM_TTL_SECONDS * 1000]
    for place, entry in placed:
        keys.append(place.stream)
        arguments += (place.attempt, place.sequence, entry.kind, entry.position, entry.text, entry.data)
    have: list[int] = _script()(keys, arguments)
    return have


@cache
def _script() -> Any:
    return client().register_script(_APPEND)  # which loads it again when Redis has been restarted and forgot it


class StreamWriter:
    """Writes the events of one attempt. When a later attempt has begun, it sets `cancellation` to `stale`."""

    def __init__(self, reply_id: UUID, attempt: int, cancellation: Cancellation) -> None:
        self.attempt = attempt
        self._stream_key = stream_key(reply_id)
        self._cancellation = cancellation
        self._entries: list[_Entry] = []
        self._is_stale = False
        self._acknowledged = 0  # how many of `_entries` Redis has
        self._buffer: list[str] = []  # text that is not an entry yet
        self._position = 0
        self._condition = threading.Condition()

    def delta(self, text: str) -> None:
        """Add text to the answer."""
        with self._condition:
            self._buffer.append(text)
        _flusher().wake(self)

    def event(self, kind: str, **data: Any) -> None:
        """Add an event after all text so far. STARTED and RESET set the position back to the beginning."""
        with self._condition:
            self._close_buffer()
            if kind in (Kind.STARTED, Kind.RESET):
                self._position = 0
            self._entries.append(_Entry(kind, self._position, "", orjson.dumps(data)))
        _flusher().wake(self)

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until Redis has everything. False if it has not by then, or never will (stale)."""
        with self._condition:
            self._condition.wait_for(lambda: self._is_stale or self._is_clean(), timeout_seconds)
            return self._is_clean()

    # --- for the flusher -----------------------------------------------------------------------------------

    def pending(self) -> list[tuple[_Place, _Entry]]:
        """What Redis does not have yet, and where it goes."""
        with self._condition:
            self._close_buffer()
            start = self._acknowledged
            return [
                (_Place(self._stream_key, self.attempt, sequence), entry)
                for sequence, entry in enumerate(self._entries[start:], start + 1)
            ]

    def acknowledge(self, last_sequence: int) -> None:
        """Redis has the first `last_sequence` entries of this attempt; -1: a later attempt has begun."""
        if last_sequence < 0:
            self._cancellation.set("stale")
        with self._condition:
            if last_sequence < 0:
                self._is_stale = True
            else:
                self._acknowledged = min(last_sequence, len(self._entries))
            self._condition.notify_all()

    @property
    def needs_flushing(self) -> bool:
        with self._condition:
            return not self._is_stale and not self._is_clean()

    def _is_clean(self) -> bool:
        return not self._buffer and self._acknowledged == len(self._entries)

    def _close_buffer(self) -> None:
        if self._buffer:
            text = "".join(self._buffer)
            self._buffer.clear()
            self._entries.append(_Entry(Kind.DELTA, self._position, text, b"{}"))
            self._position += len(text)


class _Flusher(threading.Thread):
    """Sends what all writers of the process have, one call of Redis at a time."""

    RETRY_SECONDS = 0.2
    # A pause after each call, the longer the more are writing: what one of them has costs about as much processor on
    # its way to a browser whether it is one token or five. Alone, nobody waits; 64 wait for 6 ms on average.
    PAUSE_PER_WRITER_SECONDS = 0.0002
    LONGEST_PAUSE_SECONDS = 0.05

    def __init__(self) -> None:
        super().__init__(name="stream-flusher", daemon=True)
        self._dirty: set[StreamWriter] = set()
        self._condition = threading.Condition()

    def wake(self, writer: StreamWriter) -> None:
        with self._condition:
            self._dirty.add(writer)
            self._condition.notify()

    def run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._dirty)
                writers, self._dirty = self._dirty, set()
            pause = min(len(writers) * self.PAUSE_PER_WRITER_SECONDS, self.LONGEST_PAUSE_SECONDS)
            try:
                self._send(writers)
            except redis.RedisError:
                pause = self.RETRY_SECONDS
            except Exception:
                logger.exception("Events could not be sent; trying again")
                pause = self.RETRY_SECONDS
            time.sleep(pause)
            for writer in writers:
                if writer.needs_flushing:
                    self.wake(writer)

    def _send(self, writers: set[StreamWriter]) -> None:
        """Each call is short for Redis, which does nothing else meanwhile, also when all has to be sent again."""
        waiting = [(writer, *placed) for writer in writers for placed in writer.pending()]
        for start in range(0, len(waiting), EVENTS_AT_ONCE):
            some = waiting[start : start + EVENTS_AT_ONCE]
            have = _append([(place, entry) for _, place, entry in some])
            for writer, last in {writer: last for (writer, *_), last in zip(some, have, strict=True)}.items():
                writer.acknowledge(last)


_lock = threading.Lock()
_instance: _Flusher | None = None


def _flusher() -> _Flusher:
    global _instance
    with _lock:
        if _instance is None or not _instance.is_alive():
            _instance = _Flusher()
            _instance.start()
        return _instance
