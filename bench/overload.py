"""Ten times the load that the slots carry, for a minute, over real sockets: what becomes of those who are let in?

    python -m bench.overload --slots 64 --seconds 60

Starts an installation of its own, as bench/streaming.py does, with the limits of production. People come independently
of one another (Poisson), each with a socket of their own: first four fifths of what the slots carry, which is the
normal load, then ten times what they carry, then one after the other until all is as before. Meanwhile pages are
fetched and messages are posted over HTTP. Prints one JSON object. With DATABASE_URL it runs on PostgreSQL. The load
shares the machine's processors.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

from bench import streaming  # first: it has the settings

for name in ("WAITING_IN_ALL", "LONGEST_WAIT_SECONDS", "LONGEST_WAIT_ANSWERS"):  # as they are by default
    os.environ.pop(name)

import orjson  # noqa: E402
import uvloop  # noqa: E402
from django.conf import settings  # noqa: E402

from bench.measuring import cpu_seconds, percentiles  # noqa: E402
from bench.sockets import Socket  # noqa: E402
from bench.upstream import setting  # noqa: E402
from faults.pages import Browser  # noqa: E402
from tests.environment import free_port  # noqa: E402
from workers.jobs import Job  # noqa: E402
from workers.models import Completion  # noqa: E402

NORMAL_SHARE = 0.8  # of what the slots carry
TIMES = 10
PATIENCE_SECONDS = 180.0  # for an answer that was accepted
POSTS_PER_SECOND = 2.0


@dataclass
class Phase:
    """What became of the messages that were sent in one part of the run."""

    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)  # by code
    answer_ms: list[float] = field(default_factory=list)  # from sending to the whole answer
    accepting_ms: list[float] = field(default_factory=list)
    refusing_ms: list[float] = field(default_factory=list)
    wrong: int = 0

    def figures(self) -> dict[str, Any]:
        return {
            "sent": self.accepted + self.refused.total(),
            "accepted": self.accepted,
            "refused": dict(self.refused),
            "answered": len(self.answer_ms),
            "wrong": self.wrong,
            "answer_ms": percentiles(self.answer_ms),
            "accepted_after_ms": percentiles(self.accepting_ms),
            "refused_after_ms": percentiles(self.refusing_ms),
        }


@dataclass
class Sent:
    """A message under way."""

    phase: Phase
    at: float = field(default_factory=time.monotonic)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    seconds: float = 0.0  # until its answer was there; 0: it was refused

    @property
    def ms(self) -> float:
        return (time.monotonic() - self.at) * 1000


class Person:
    """A tab that may wait for several answers, and comes back when it is thrown out for reading too slowly."""

    def __init__(self, session: str, tokens: int) -> None:
        self._session = session
        self._shown = list(range(tokens))
        self._unanswered: dict[str, Sent] = {}  # by client id
        self._watched: dict[str, Sent] = {}  # by reply
        self._socket: Socket | None = None
        self.times_opened = 0
        self.living = asyncio.create_task(self._live())

    def send(self, phase: Phase) -> Sent:
        client_id = str(uuid.uuid4())
        self._unanswered[client_id] = sent = Sent(phase)
        self._ask(client_id)
        return sent

    def _ask(self, client_id: str) -> None:
        self._say(type="send", client_id=client_id, text="Go on", route="generate")

    def _say(self, **frame: Any) -> None:
        if self._socket:
            self._socket.send(orjson.dumps(frame))

    async def _live(self) -> None:
        while True:
            socket = self._socket = await streaming.open_socket(self._session)
            self.times_opened += 1
            for client_id in self._unanswered:
                self._ask(client_id)
            for reply in self._watched:
                self._say(type="attach", reply=reply)
            while raw := await socket.receive():
                if not raw.startswith(b'{"type":"delta"'):
                    self._hear(orjson.loads(raw))
            self._socket = None

    def _hear(self, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "accepted":
                sent = self._watched[frame["reply"]] = self._unanswered.pop(frame["client_id"])
                sent.phase.accepted += 1
                sent.phase.accepting_ms.append(sent.ms)
                self._say(type="attach", reply=frame["reply"])
            case "error":
                sent = self._unanswered.pop(frame["client_id"])
                sent.phase.refused[frame["code"]] += 1
                sent.phase.refusing_ms.append(sent.ms)
                sent.over.set()
            case "finished" if frame["reply"] in self._watched:
                sent = self._watched.pop(frame["reply"])
                sent.seconds = sent.ms / 1000
                sent.phase.answer_ms.append(sent.ms)
                shown = list(map(int, streaming.SHOWN.findall(frame["html"])))
                sent.phase.wrong += frame["status"] != "done" or shown != self._shown
                sent.over.set()


async def load(
    people: Iterable[Person], rate: float, seconds: float, chance: random.Random
) -> tuple[Phase, list[Sent]]:
    """Messages at `rate` a second, whatever becomes of them."""
    phase, sent, due = Phase(), list[Sent](), time.monotonic()
    until = due + seconds
    for person in people:
        due += chance.expovariate(rate)
        if due > until:
            break
        await asyncio.sleep(due - time.monotonic())
        sent.append(person.send(phase))
    return phase, sent


async def until_over(sent: list[Sent]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.gather(*(one.over.wait() for one in sent))


async def use_forms(session: str, statuses: Counter[str], gets_ms: list[float]) -> None:
    """Fetch a page and post a message, again and again, without a script."""
    browser = Browser(session, settings.PORT)
    while True:
        began = time.monotonic()
        status, _ = await asyncio.to_thread(browser.get)
        gets_ms.append((time.monotonic() - began) * 1000)
        statuses[f"GET {status}"] += 1
        statuses[f"POST {await asyncio.to_thread(browser.send, 'Go on')}"] += 1
        await asyncio.sleep(1 / POSTS_PER_SECOND)


async def run(sessions: list[str], pids: dict[str, int], model: str, slots: int, seconds: float) -> dict[str, Any]:
    tokens = int(setting(model, "n", 64))
    carried = slots / (setting(model, "ttft", 0) + tokens * setting(model, "itl", 10)) * 1000
    forms, *others = sessions
    tabs = [Person(session, tokens) for session in others]
    people, chance = cycle(tabs), random.Random(1)
    await until_over([next(people).send(Phase()) for _ in range(slots)])  # loads what is loaded at first use
    normal, sent = await load(people, NORMAL_SHARE * carried, seconds / 2, chance)
    await until_over(sent)
    before, statuses, gets_ms = {name: cpu_seconds(pid) for name, pid in pids.items()}, Counter[str](), list[float]()
    posting = asyncio.create_task(use_forms(forms, statuses, gets_ms))
    over, sent = await load(people, TIMES * carried, seconds, chance)
    ended = time.monotonic()
    used = {name: round((cpu_seconds(pid) - before[name]) / seconds, 2) for name, pid in pids.items()}
    posting.cancel()
    usual = percentiles(normal.answer_ms)["p95"] / 1000
    after = await as_before(people, usual, ended)
    await until_over(sent)
    return {
        "slots": slots,
        "model": model,
        "carried_per_second": round(carried, 1),
        "normal": normal.figures(),
        "overload": over.figures(),
        "p95_times": round(percentiles(over.answer_ms)["p95"] / 1000 / usual, 2),
        "as_before_after_s": round(after, 1),
        "all_answered_after_s": round(time.monotonic() - ended, 1),
        "http": dict(statuses),
        "page_ms": percentiles(gets_ms),
        "sockets_opened_again": sum(tab.times_opened - 1 for tab in tabs),
        "cores_busy_in_overload": used,
    }


async def as_before(people: Iterable[Person], usual_seconds: float, ended: float) -> float:
    """How long after the end of the load a message was sent that was answered as fast as usual."""
    asking = Phase()
    for person in people:
        sent = person.send(asking)
        await until_over([sent])
        if 0 < sent.seconds <= usual_seconds:
            return sent.at - ended
        await asyncio.sleep(0.5)
    raise RuntimeError("There is nobody left to ask.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slots", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--people", type=int, default=300)
    parser.add_argument("--model", default="ttft50-itl25-n200")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # or the processes would outlive the bench
    port = free_port()
    sessions = streaming.prepare(port, options.model, options.people)
    with streaming.installation(port, options.slots) as pids:
        figures = uvloop.run(run(sessions, pids, options.model, options.slots, options.seconds))
    figures["open_at_the_end"] = sum(kind.all_open().count() for kind in Job.kinds())
    figures["stored"] = dict(Counter(Completion.objects.values_list("status", flat=True)))
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
