"""The line: who waits for what, how long that will take, and what people have been told of it.

The reaper on duty looks at the open rows once a second and keeps in Redis what the web processes tell: each waiting
reply's place and time, and what a new message would have to wait. What was told once is never made worse: neither by
those who come later and go first because it is their turn, nor by answers that take longer than they used to.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict, astuple, dataclass
from functools import cache
from typing import Any
from uuid import UUID

import orjson
from django.utils import timezone

from workers import presence
from workers.connections import client
from workers.jobs import Job
from workers.limits import limits_of
from workers.models import Completion
from workers.recently import recently
from workers.service import RECENT, mean_seconds, slots_by_queue

PLACES = "line"
EXPECTED = "line:foreseen"
KEEP_SECONDS = 10  # without a reaper, nobody is told anything
RECENT_JOBS = 200  # of each kind
MEASURE_SECONDS = 5.0


@dataclass(frozen=True)
class Place:
    """Where a reply stands: 1 is next. `seconds` is None while nobody knows how long one takes."""

    position: int
    seconds: float | None = None

    def no_worse_than(self, told: Place) -> Place:
        """This place, or what was told of it where that was better."""
        times = [seconds for seconds in (self.seconds, told.seconds) if seconds is not None]
        return Place(min(self.position, told.position), min(times, default=None))


@dataclass(frozen=True)
class Expected:
    """What a new message meets, if it is its person's turn. None: nobody knows."""

    wait_seconds: float | None = None
    service_seconds: float | None = None  # how long one answer takes, from when a worker has it
    waiting: int = 0  # how many were ahead of it
    more_seconds: float = 0.0  # for each one that has come since then

    def wait_behind(self, waiting: int) -> float:
        """How long one has to wait if so many are ahead by now; 0 if nobody knows."""
        return (self.wait_seconds or 0.0) + max(waiting - self.waiting, 0) * self.more_seconds


@recently
def expected() -> Expected:
    """What a new message would meet now. Raises `redis.RedisError`."""
    kept = client().get(EXPECTED)
    return Expected(**orjson.loads(kept)) if kept else Expected()


def places(reply_ids: Iterable[UUID]) -> dict[UUID, Place]:
    """The places of those of these replies that wait in line. Raises `redis.RedisError`."""
    asked = list(reply_ids)
    kept = client().hmget(PLACES, [str(reply_id) for reply_id in asked]) if asked else []
    return {reply_id: Place(*orjson.loads(value)) for reply_id, value in zip(asked, kept, strict=True) if value}


@dataclass(frozen=True)
class _Service:
    """How a queue is served: answers at a time, and how long one takes."""

    slots: int = 0
    seconds: float | None = None

    def wait_for(self, count: int) -> float | None:
        """Seconds until the last of `count` has begun. None while no worker is there, or nobody knows."""
        return None if self.seconds is None or not self.slots else count * self.seconds / self.slots


class Line:
    """Kept by the reaper on duty."""

    def __init__(self) -> None:
        self._told: dict[UUID, Place] | None = None
        self._seconds: dict[type[Job], dict[str, list[float]]] = {}  # how long the last ones took, by queue
        self._next_measure = 0.0

    def update(self) -> None:
        """Look once, and say what is to be told. Raises `redis.RedisError` and `DatabaseError`."""
        if time.monotonic() >= self._next_measure:
            self._next_measure = time.monotonic() + MEASURE_SECONDS
            self._seconds = {kind: _recent_seconds(kind) for kind in _kinds()}
        slots = slots_by_queue(presence.processes())
        waiting = {kind: _waiting(kind) for kind in _kinds()}
        told = self._last_told() if waiting[Completion] else {}
        self._told = {
            reply_id: place.no_worse_than(told.get(reply_id, place))
            for queue, jobs in waiting[Completion].items()
            for reply_id, place in _placed(jobs, self._service(Completion, queue, slots)).items()
        }
        self._keep(self._told, self._expected(waiting, slots))

    def _last_told(self) -> dict[UUID, Place]:
        if self._told is None:  # another reaper was on duty before
            kept: dict[bytes, bytes] = client().hgetall(PLACES)
            self._told = {UUID(reply_id.decode()): Place(*orjson.loads(value)) for reply_id, value in kept.items()}
        return self._told

    def _keep(self, told: dict[UUID, Place], new: Expected) -> None:
        with client().pipeline() as pipeline:
            pipeline.delete(PLACES)
            if told:
                mapping = {str(reply_id): orjson.dumps(astuple(place)) for reply_id, place in told.items()}
                pipeline.hset(PLACES, mapping=mapping)
                pipeline.expire(PLACES, KEEP_SECONDS)
            pipeline.set(EXPECTED, orjson.dumps(asdict(new)), ex=KEEP_SECONDS)
            pipeline.execute()

    def _service(self, kind: type[Job], queue: str, slots: Counter[str]) -> _Service:
        return _Service(slots[queue], mean_seconds(self._seconds.get(kind, {}).get(queue, [])))

    def _expected(self, waiting: dict[type[Job], dict[str, list[Job]]], slots: Counter[str]) -> Expected:
        """A message is one job of each kind; of a kind, as likely in each queue as those that came lately.

        It does not stand behind those that are held: they wait for others of their own person.
        """
        waits, services, more, ahead = [], [], [], 0
        for kind, taken in self._seconds.items():
            queues = waiting[kind].keys() | taken.keys()
            came = {queue: len(waiting[kind].get(queue, [])) + len(taken.get(queue, [])) for queue in queues}
            for queue, count in came.items():
                service, share = self._service(kind, queue, slots), count / sum(came.values())
                released = sum(job.released_at is not None for job in waiting[kind].get(queue, []))
                ahead += released
                if service.seconds is not None:
                    services.append(share * service.seconds)
                    waits.append(share * (service.wait_for(released) or 0))
                    more.append(share * (service.wait_for(1) or 0))
        return Expected(sum(waits), sum(services), ahead, sum(more)) if services else Expected()


def _kinds() -> list[type[Job]]:
    return [kind for kind in Job.kinds() if kind.is_part_of_answer]


def _waiting(kind: type[Job]) -> dict[str, list[Job]]:
    """People's jobs that wait, by queue."""
    found = defaultdict(list)
    for job in kind.open_with_queues().filter(status=Job.Status.QUEUED).exclude(person=None):
        found[job.queue].append(job)
    return found


def _recent_seconds(kind: type[Job]) -> dict[str, list[float]]:
    """How long each of the last jobs of people took that were done, by queue."""
    since = timezone.now() - RECENT
    recent = kind.with_queues(kind._default_manager.filter(status=Job.Status.DONE, finished_at__gt=since))
    found = defaultdict(list)
    for job in recent.exclude(person=None).order_by("-finished_at")[:RECENT_JOBS]:
        found[job.queue].append(job.run_seconds)
    return found


def _placed(jobs: list[Job], service: _Service) -> dict[UUID, Place]:
    """The places of those who wait in one queue: released ones in their order, then the held ones by turns."""
    released = sorted((job for job in jobs if job.released_at), key=lambda job: (job.attempt == 1, job.released_at))
    held, turns = sorted((job for job in jobs if not job.released_at), key=lambda job: job.queued_at), Counter[Any]()
    limits = cache(limits_of)
    by_turn = []
    for job in held:
        turns[job.person_id] += 1
        by_turn.append((turns[job.person_id], job))
    by_turn.sort(key=lambda entry: entry[0])  # stable: of the same turn, the older one first
    ordered = [(0, job) for job in released] + by_turn
    return {
        job.reply_id: _place(position, turn and turn / limits(job.person_id).running, service)
        for position, (turn, job) in enumerate(ordered, 1)
    }


def _place(position: int, rounds: float, service: _Service) -> Place:
    """`rounds`: how often as many of the person's own have to end as run at a time, before this one is released."""
    wait = service.wait_for(position)
    if wait is None or service.seconds is None:
        return Place(position)
    return Place(position, round(max(wait, rounds * service.seconds), 1))
