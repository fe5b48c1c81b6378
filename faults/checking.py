"""The one checker: what the browser shows == the events replayed from the start == the text in the database."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from chatsite.chat.models import Turn
from faults.tabs import Shown, answer_of
from workers.connections import client, stream_key
from workers.events import Event, Kind, Offset
from workers.jobs import Job
from workers.models import Completion


@dataclass
class Verdict:
    """What came of the replies of one run."""

    replies: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)  # not finished, or finished without the text that was to come
    corrupt: list[str] = field(default_factory=list)  # the three do not agree, or events are out of order
    attempts: Counter[int] = field(default_factory=Counter)

    @property
    def is_clean(self) -> bool:
        return not self.lost and not self.corrupt

    def complain(self) -> str:
        return "\n".join([*self.lost[:5], *self.corrupt[:5]])


def check(
    shown: dict[str, Shown], expected: dict[str, int | None] | int | None = None, ends_are_told: bool = True
) -> Verdict:
    """Compare what tabs show of finished replies with the replay and the database.

    `expected` is how many tokens each answer has ("t0… t1… "), None where that is open. Not `ends_are_told`: the
    worker may have died between storing an answer and saying so, so a replay may lack its end.
    """
    verdict = Verdict(replies=len(shown))
    turns = Turn.objects.select_related("completion").in_bulk([UUID(reply) for reply in shown])
    for reply, seen in shown.items():
        turn = turns.get(UUID(reply))
        if turn is None:
            verdict.lost.append(f"{reply}: no such row")
            continue
        job = turn.answer
        verdict.statuses[job.status] += 1
        verdict.attempts[job.attempt] += 1
        if job.is_open or seen.status != job.status:
            verdict.lost.append(f"{reply}: {job.status} in the database, {seen.status or 'unfinished'} in the tab")
            continue
        text = job.text if isinstance(job, Completion) else ""
        tokens = expected.get(reply) if isinstance(expected, dict) else expected
        if tokens is not None and job.status == Job.Status.DONE and not _has_tokens(text, tokens):
            verdict.lost.append(f"{reply}: {len(text.split())} of {tokens} tokens, ends with {text[-40:]!r}")
        verdict.corrupt += [f"{reply}: {fault}" for fault in _disagreements(reply, seen, job, text, ends_are_told)]
    return verdict


def _has_tokens(text: str, count: int) -> bool:
    return [token.split("@")[0] for token in text.split()] == [f"t{number}" for number in range(count)]


def _disagreements(reply: str, seen: Shown, job: Job, text: str, ends_are_told: bool) -> list[str]:
    faults = list(seen.disorder)
    if answer_of(seen.html) != text.strip():
        faults.append(f"the page shows {answer_of(seen.html)[-60:]!r}, the database has {text[-60:]!r}")
    events = replay(reply)
    if not events:
        return faults  # forgotten, or wiped: the database has the last word
    replayed = Replay(events)
    faults += replayed.faults
    if ends_are_told and not replayed.has_ended:
        faults.append(f"the replay has no end: {events[-1]}")
    if job.status == Job.Status.QUARANTINED:
        return faults  # what broke off is not an answer
    # The last frame brings the whole article, so it may come before the last pieces: to a tab that was away, or from a
    # look at the database.
    if replayed.has_ended and not (replayed.text == text and text.startswith(seen.text)):
        faults.append(f"replayed …{replayed.text[-60:]!r}, streamed …{seen.text[-60:]!r}, stored …{text[-60:]!r}")
    if not replayed.has_ended and not text.startswith(replayed.text):
        faults.append("the replay is not the beginning of what is stored")
    return faults


def replay(reply: str) -> list[Event]:
    return [Event.from_entry(*entry) for entry in client().xrange(stream_key(reply))]


class Replay:
    """The events of a reply from the start, folded and checked."""

    def __init__(self, events: list[Event]) -> None:
        self.text = ""
        self.faults: list[str] = []
        self.has_ended = False
        self._last = Offset(0, 0)
        for event in events:
            self._receive(event)

    def _receive(self, event: Event) -> None:
        offset, last = event.offset, self._last
        follows = offset.sequence == (last.sequence + 1 if offset.attempt == last.attempt else 1)
        if not follows or offset < last:
            self.faults.append(f"{offset} follows {last}")
        if self.has_ended:
            self.faults.append(f"{event.kind} {offset} after the end")
        if event.kind in (Kind.STARTED, Kind.RESET) or offset.attempt != last.attempt:
            self.text = ""
        self._last = offset
        if event.kind == Kind.DELTA:
            if event.position != len(self.text):
                self.faults.append(f"{offset} is at {event.position}, not {len(self.text)}")
            self.text += event.text
        elif event.kind in Kind.FINAL:
            self.has_ended = True
            length: Any = event.data.get("length")
            if length is not None and length != len(self.text):
                self.faults.append(f"the end says {length}, there are {len(self.text)}")


def still_open() -> int:
    """How many rows are in a state that is not final."""
    return sum(kind.objects.filter(status__in=Job.OPEN).count() for kind in (Turn, Completion))
