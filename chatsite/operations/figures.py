"""What there is to know of the running installation, as plain data for the operations page and for whoever exports it.

Waits, loads and tokens come from the rows of the jobs, so they are true whatever broker carries them; of each kind of
job at most `MOST_ROWS` open ones are looked at, and as many of the newest ended ones. What workers say of themselves
and the failures of providers come from Redis; when it is away, they are missing and everything else is there.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, NamedTuple

import redis
from django.db.models import F, IntegerField, Sum, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from chatsite.chat.models import Turn
from chatsite.documents.models import Attachment
from chatsite.operations.staffing import Load
from chatsite.routing.queue import BACKGROUND
from router.models import RunningProcess
from workers import failures, presence
from workers.code import own_code
from workers.connections import client
from workers.jobs import Job
from workers.models import Completion, Model
from workers.service import RECENT, mean_seconds, slots_by_queue

TOKENS_SECONDS = 60
MOST_ROWS = 2000
MOST_SET_ASIDE = 100
SHORTEST_SPAN_SECONDS = 10.0  # no rate is told of less time than this


@dataclass(frozen=True)
class Waits:
    """How long jobs waited, or have waited so far."""

    count: int
    p50_seconds: float
    p95_seconds: float

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Waits:
        """Nearest-rank percentiles; 0 where there is nothing to rank."""
        ranked = sorted(seconds)
        return cls(len(ranked), _percentile(ranked, 50), _percentile(ranked, 95))


@dataclass(frozen=True)
class Queue:
    """One queue: what waits in it, what came through it lately, and who serves it."""

    name: str
    depth: int  # jobs that wait for a worker now
    held: int  # jobs that are not in it yet: first, another one of their person has to end
    waiting: Waits  # of those that wait for a worker: how long they have so far
    waited: Waits  # of those that were started in the last ten minutes: how long they had
    running: int  # jobs that run now
    load: Load | None  # None: nothing has been finished lately, so nobody knows how long one takes
    workers: int  # processes that take work from it
    slots: int  # what they do at a time, together


@dataclass(frozen=True)
class Worker:
    """A worker process, with what can only be told beside the others."""

    process: presence.Process
    is_old: bool  # it runs other code than the newest process
    revision: int | None = None  # the live revision that it decides with, if it decides
    canary: int | None = None
    shadow: int | None = None


@dataclass(frozen=True)
class SetAside:
    """A job in quarantine."""

    kind: str  # as `app_label.modelname`
    pk: str
    reply_id: str  # as the logs have it
    what: str  # in a word or two, never what people wrote
    cause: str
    attempts: int
    since: datetime


@dataclass(frozen=True)
class Figures:
    """Everything, as of one moment."""

    taken_at: datetime
    queues: list[Queue]
    workers: list[Worker]
    tokens_per_second: float  # of answers that ended in the last minute
    failures: list[failures.Failures]
    set_aside: list[SetAside]  # the newest ones
    set_aside_count: int
    is_redis_away: bool = False
    is_reaper_on_duty: bool = True


def figures() -> Figures:
    """The figures of this moment. Raises `DatabaseError`; Redis being away is one of the figures."""
    now = timezone.now()
    is_redis_away = is_reaper_on_duty = False
    try:
        processes, failed = presence.processes(), failures.last_hour()
        is_reaper_on_duty = bool(client().exists("reaper"))
    except redis.RedisError:
        processes, failed, is_redis_away = [], [], True
    return Figures(
        taken_at=now,
        queues=_queues(processes, now),
        workers=_workers(processes),
        tokens_per_second=_tokens(now) / TOKENS_SECONDS,
        failures=failed,
        set_aside=_set_aside(),
        set_aside_count=sum(_quarantined(kind).count() for kind in Job.kinds()),
        is_redis_away=is_redis_away,
        is_reaper_on_duty=is_reaper_on_duty,
    )


# --- Queues -----------------------------------------------------------------------------------------------------


def queues_in_use() -> set[str]:
    """The queues that something can be sent to as things are: each of them needs a worker."""
    of_models = _queues_of_models(is_enabled=True, provider__is_enabled=True)
    return {Turn.queue, Attachment.queue, BACKGROUND, *of_models.values()}


@dataclass
class _Seen:
    """What the rows of one queue tell."""

    held: int = 0
    waiting: list[float] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    running: list[float] = field(default_factory=list)
    served: list[float] = field(default_factory=list)
    arrived: list[datetime] = field(default_factory=list)


def _queues(processes: list[presence.Process], now: datetime) -> list[Queue]:
    seen = _seen(now)
    names = queues_in_use() | seen.keys() | set(chain.from_iterable(process.queues for process in processes))
    slots = slots_by_queue(processes)
    workers = Counter(queue for process in processes for queue in process.queues if process.serves(queue))
    return [_queue(name, seen[name], workers[name], slots[name], now) for name in sorted(names)]


def _queue(name: str, seen: _Seen, workers: int, slots: int, now: datetime) -> Queue:
    return Queue(
        name=name,
        depth=len(seen.waiting),
        held=seen.held,
        waiting=Waits.of(seen.waiting),
        waited=Waits.of(seen.waited),
        running=len(seen.running),
        load=_load(seen, now),
        workers=workers,
        slots=slots,
    )


def _load(seen: _Seen, now: datetime) -> Load | None:
    """Arrivals after the first one that is still looked at, and the time that one takes."""
    begun_lately = [seconds for seconds in seen.running if seconds <= RECENT.total_seconds()]
    service_seconds = mean_seconds(seen.served, begun_lately)
    if service_seconds is None:
        return None
    first = min(seen.arrived, default=now)
    span = max((now - first).total_seconds(), SHORTEST_SPAN_SECONDS)
    return Load(max(len(seen.arrived) - 1, 0) / span, service_seconds)


def _seen(now: datetime) -> defaultdict[str, _Seen]:
    seen: defaultdict[str, _Seen] = defaultdict(_Seen)
    for kind in Job.kinds():
        for queue, job in _times(kind, now - RECENT):
            of_queue = seen[queue]
            if job.queued_at >= now - RECENT:
                of_queue.arrived.append(job.queued_at)
            if job.is_held:
                of_queue.held += 1
            elif job.started_at is None:
                of_queue.waiting.append((now - job.came_at).total_seconds())
            else:
                taken = of_queue.served if job.finished_at else of_queue.running
                taken.append(((job.finished_at or now) - job.started_at).total_seconds())
                if job.started_at >= now - RECENT:
                    of_queue.waited.append((job.started_at - job.came_at).total_seconds())
    return seen


class _Times(NamedTuple):
    """Of one job."""

    queued_at: datetime
    released_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def is_held(self) -> bool:
        return self.started_at is None and self.released_at is None

    @property
    def came_at(self) -> datetime:
        """When it came to its queue: a new attempt when it was queued, as the job was released long ago."""
        return max(self.queued_at, self.released_at or self.queued_at)


def _times(kind: type[Job], since: datetime) -> Iterator[tuple[str, _Times]]:
    """The queues and times of the open jobs, and of the ended ones begun since."""
    by_model = issubclass(kind, Completion)
    queues, own_queue = _queues_of_models() if by_model else {}, kind().queue
    model = Coalesce(F("passed_to_id"), F("model_id")) if by_model else Value(None, IntegerField())
    still_open = kind.all_open().order_by("queued_at")[:MOST_ROWS]
    ended = kind._default_manager.filter(started_at__gte=since).exclude(finished_at=None)
    for rows in (still_open, ended.order_by("-started_at")[:MOST_ROWS]):
        for model_id, *times in rows.values_list(model, *_Times._fields):
            yield queues.get(model_id, own_queue), _Times(*times)


def _queues_of_models(**condition: bool) -> dict[int, str]:
    return {model.pk: model.queue for model in Model.objects.select_related("provider").filter(**condition)}


def _percentile(ranked: Sequence[float], percent: int) -> float:
    return ranked[-(-len(ranked) * percent // 100) - 1] if ranked else 0.0


# --- Everything else --------------------------------------------------------------------------------------------


def _workers(processes: list[presence.Process]) -> list[Worker]:
    deciding: dict[str, Any] = RunningProcess.objects.in_bulk([process.name for process in processes])
    newest = max([(own_code().changed_at, own_code().digest), *((p.code_changed_at, p.code) for p in processes)])[1]
    found = []
    for process in processes:
        decides = deciding.get(process.name)
        runs = (decides.live, decides.canary, decides.shadow) if decides else ()
        found.append(Worker(process, process.code != newest, *runs))
    return found


def _tokens(now: datetime) -> int:
    since = now - timedelta(seconds=TOKENS_SECONDS)
    ended = Completion.objects.filter(status__in=[Job.Status.DONE, Job.Status.CANCELLED], finished_at__gte=since)
    return ended.aggregate(tokens=Sum("completion_tokens"))["tokens"] or 0


def _quarantined(kind: type[Job]) -> Any:
    return kind._default_manager.filter(status=Job.Status.QUARANTINED)


def _set_aside() -> list[SetAside]:
    found = []
    for kind in Job.kinds():
        rows = kind.with_queues(_quarantined(kind)).order_by("-finished_at")  # without what is large
        found += [_described(job) for job in rows[:MOST_SET_ASIDE]]
    return sorted(found, key=lambda one: one.since, reverse=True)[:MOST_SET_ASIDE]


def _described(job: Any) -> SetAside:
    if isinstance(job, Completion):
        what = f"{job.get_role_display()} with {job.model or 'a deleted model'}"
    else:
        what = "Decision" if isinstance(job, Turn) else job._meta.verbose_name.capitalize()
    return SetAside(
        kind=job._meta.label_lower,
        pk=str(job.pk),
        reply_id=str(job.reply_id),
        what=what,
        cause=job.error_detail,
        attempts=job.attempt,
        since=job.finished_at,
    )
