"""The figures of the operations page in the format of Prometheus, read at a scrape.

They come from the database and Redis, so every web process can tell all of them: one has to be asked, whichever.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE
from prometheus_client.registry import Collector

from chatsite.operations import advice
from chatsite.operations.figures import Figures, Queue, Worker, figures

__all__ = ["CONTENT_TYPE", "METRICS", "exposition"]

PREFIX = "switchyard_"
KEPT_SECONDS = 3.0  # however many scrape, the figures are read no more often than this

Samples = Iterable[tuple[tuple[str, ...], float]]  # values of the labels, and the figure


@dataclass(frozen=True)
class Metric:
    """One gauge: its name without the prefix, what it means, its labels, and how it is read off the figures."""

    name: str
    meaning: str
    labels: tuple[str, ...]
    samples: Callable[[Figures], Samples]


def _single(read: Callable[[Figures], float]) -> Callable[[Figures], Samples]:
    return lambda now: [((), read(now))]


def _each_queue(read: Callable[[Queue], float | None]) -> Callable[[Figures], Samples]:
    """A sample for each queue that the figure is known of."""
    return lambda now: [
        ((queue.name,), figure) for queue in now.queues for figure in [read(queue)] if figure is not None
    ]


def _each_worker(read: Callable[[Worker], float]) -> Callable[[Figures], Samples]:
    return lambda now: [((worker.process.name,), read(worker)) for worker in now.workers]


def _jobs(now: Figures) -> Samples:
    for queue in now.queues:
        yield (queue.name, "waiting"), queue.depth
        yield (queue.name, "held"), queue.held
        yield (queue.name, "running"), queue.running


def _waiting(now: Figures) -> Samples:
    for queue in now.queues:
        yield (queue.name, "0.5"), queue.waiting.p50_seconds
        yield (queue.name, "0.95"), queue.waiting.p95_seconds


def _waited(now: Figures) -> Samples:
    for queue in now.queues:
        yield (queue.name, "0.5"), queue.waited.p50_seconds
        yield (queue.name, "0.95"), queue.waited.p95_seconds


def _needed(queue: Queue) -> float | None:
    try:
        needed = advice.staffing(queue, advice.WAIT_SECONDS)
    except ValueError:  # more than anybody has
        return None
    return needed.workers if needed else None


def _arrivals(queue: Queue) -> float | None:
    return queue.load.arrivals_per_second if queue.load else None


def _service(queue: Queue) -> float | None:
    return queue.load.service_seconds if queue.load else None


def _states(now: Figures) -> Samples:
    counts = Counter(_state(worker) for worker in now.workers)
    return [((state,), counts[state]) for state in ("starting", "serving", "draining")]


def _state(worker: Worker) -> str:
    if worker.process.is_draining:
        return "draining"
    return "serving" if worker.process.queues else "starting"


def _revisions(now: Figures) -> Samples:
    for worker in now.workers:
        decides_with = {"live": worker.revision, "canary": worker.canary, "shadow": worker.shadow}
        for kind, revision in decides_with.items():
            if revision is not None:
                yield (worker.process.name, kind), revision


def _models(now: Figures) -> Samples:
    counts = Counter(item for worker in now.workers for item in worker.process.models.items())
    return counts.items()


OF_ROWS = (
    Metric("redis_up", "1 if Redis answers", (), _single(lambda now: not now.is_redis_away)),
    Metric(
        "tokens_per_second",
        "Tokens of answers that ended in the last minute",
        (),
        _single(lambda n: n.tokens_per_second),
    ),
    Metric("quarantined_jobs", "Jobs that were set aside", (), _single(lambda now: now.set_aside_count)),
    Metric(
        "queue_jobs",
        "Jobs that wait, that are held until it is their person's turn, and that run",
        ("queue", "state"),
        _jobs,
    ),
    Metric("queue_waiting_seconds", "How long those that wait have waited so far", ("queue", "quantile"), _waiting),
    Metric(
        "queue_waited_seconds", "How long those waited that began within 10 minutes", ("queue", "quantile"), _waited
    ),
    Metric("queue_arrivals_per_second", "Jobs that came within 10 minutes", ("queue",), _each_queue(_arrivals)),
    Metric("queue_service_seconds", "How long a job takes, in the mean", ("queue",), _each_queue(_service)),
    Metric(
        "queue_workers_needed",
        f"Processes with which {advice.SHARE:.0%} of the jobs wait {advice.WAIT_SECONDS:g} s at most at this load",
        ("queue",),
        _each_queue(_needed),
    ),
)
# Missing while Redis is away: 0 would say that nobody works.
OF_REDIS = (
    Metric("reaper_on_duty", "1 if a reaper gives back lost work", (), _single(lambda now: now.is_reaper_on_duty)),
    Metric("queue_workers", "Worker processes that take jobs from it", ("queue",), _each_queue(lambda q: q.workers)),
    Metric("queue_slots", "How many jobs they do at a time, together", ("queue",), _each_queue(lambda q: q.slots)),
    Metric("workers", "Worker processes", ("state",), _states),
    Metric(
        "old_workers", "Worker processes that run older code", (), _single(lambda n: sum(w.is_old for w in n.workers))
    ),
    Metric("worker_running", "Jobs that a worker process runs", ("worker",), _each_worker(lambda w: w.process.running)),
    Metric(
        "worker_memory_bytes",
        "Resident memory of a worker process",
        ("worker",),
        _each_worker(lambda worker: worker.process.memory_bytes),
    ),
    Metric("worker_revision", "The revision that a light worker decides with", ("worker", "kind"), _revisions),
    Metric("models", "Worker processes that have a model in memory, or load it", ("model", "state"), _models),
    Metric(
        "provider_failures",
        "Failures of a provider within an hour, those healed by another try included",
        ("provider", "code"),
        lambda now: [((failed.provider, failed.code), failed.count) for failed in now.failures],
    ),
)
METRICS = OF_ROWS + OF_REDIS


class _FiguresCollector(Collector):
    def collect(self) -> Iterator[GaugeMetricFamily]:
        now = figures()
        for metric in OF_ROWS if now.is_redis_away else METRICS:
            family = GaugeMetricFamily(PREFIX + metric.name, f"{metric.meaning}.", labels=metric.labels)
            for labels, figure in metric.samples(now):
                family.add_metric(labels, figure)
            yield family


class _Kept:
    """The last exposition, for as long as it is fresh."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_FiguresCollector())
        self._lock = threading.Lock()
        self._text = b""
        self._until = 0.0

    def text(self) -> bytes:
        with self._lock:
            if time.monotonic() >= self._until:
                self._text = generate_latest(self._registry)
                self._until = time.monotonic() + KEPT_SECONDS
            return self._text


_kept = _Kept()


def exposition() -> bytes:
    """All figures as text. Raises `DatabaseError`."""
    return _kept.text()
