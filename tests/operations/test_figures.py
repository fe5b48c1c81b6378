"""What the figures tell of rows and of workers."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chatsite.operations.figures import Figures, Queue, Waits, figures
from chatsite.transfer.models import Import
from tests.processes import pretended_worker
from workers import failures, presence
from workers.code import own_code
from workers.connections import client
from workers.models import Completion, Model, Provider

pytestmark = pytest.mark.django_db

NOW = timezone.now()


@pytest.fixture(autouse=True)
def _nobody_else() -> None:
    client().delete(presence.INDEX)


@pytest.fixture
def remote() -> Model:
    provider = Provider.objects.create(name="Acme", base_url="http://127.0.0.1:9/v1")
    return Model.objects.create(provider=provider, name="Acme large", identifier="large")


def ago(seconds: float) -> datetime:
    return timezone.now() - timedelta(seconds=seconds)


def completion(model: Model, queued: float, started: float | None = None, finished: float | None = None, **more: Any):
    """One that was queued, started and finished so many seconds ago."""
    status = "done" if finished is not None else "queued" if started is None else "running"
    times = {"started_at": started, "finished_at": finished}
    return Completion.objects.create(
        reply_id=uuid.uuid4(),
        role="generate",
        model=model,
        prompt=[],
        queued_at=ago(queued),
        **{
            "released_at": ago(queued),
            "status": status,
            **{name: ago(seconds) for name, seconds in times.items() if seconds is not None},
            **more,
        },
    )


def queue(name: str, found: Figures | None = None) -> Queue:
    return next(queue for queue in (found or figures()).queues if queue.name == name)


def test_it_works_on_an_empty_installation() -> None:
    found = figures()
    assert {queue.name for queue in found.queues} >= {"route", "background"}
    assert (found.workers, found.tokens_per_second, found.failures, found.set_aside) == ([], 0, [], [])
    assert all((queue.depth, queue.load, queue.workers) == (0, None, 0) for queue in found.queues)


def test_percentiles_are_by_nearest_rank() -> None:
    assert Waits.of(range(1, 101)) == Waits(100, 50, 95)
    assert Waits.of([3]) == Waits(1, 3, 3)
    assert Waits.of([]) == Waits(0, 0, 0)


def test_a_queue_tells_what_waits_and_what_waited(remote: Model) -> None:
    for seconds in (10, 20, 30):
        completion(remote, queued=seconds)
    completion(remote, queued=64, started=60)
    completion(remote, queued=58, started=50, finished=40)
    completion(remote, queued=900, started=800, finished=790)  # too long ago
    completion(remote, queued=901, started=900)  # as well, but it still runs
    found = queue(remote.queue)
    assert (found.depth, found.running, found.waited.count) == (3, 2, 2)
    assert found.waiting.p50_seconds == pytest.approx(20, abs=1)
    assert found.waited.p95_seconds == pytest.approx(8, abs=1)


def test_what_is_held_waits_for_its_person_and_not_for_a_worker(remote: Model) -> None:
    """Nobody starts workers for it."""
    completion(remote, queued=50, released_at=None)
    completion(remote, queued=50, released_at=ago(10))
    completion(remote, queued=50, released_at=ago(10), started=6)
    found = queue(remote.queue)
    assert (found.depth, found.held, found.running) == (1, 1, 1)
    assert found.waiting.p95_seconds == pytest.approx(10, abs=1)
    assert found.waited.p95_seconds == pytest.approx(4, abs=1)


def test_a_load_counts_what_runs_with_the_time_it_has_taken(remote: Model) -> None:
    for number in range(10):
        completion(remote, queued=100 - 10 * number, started=99 - 10 * number, finished=94 - 10 * number)
    completion(remote, queued=20, started=20)
    completion(remote, queued=900, started=900)  # of another load
    load = queue(remote.queue).load
    assert load is not None
    assert load.arrivals_per_second == pytest.approx(0.1, rel=0.05)
    assert load.service_seconds == pytest.approx((10 * 5 + 20) / 10, rel=0.05)


def test_a_queue_counts_those_who_serve_it(remote: Model) -> None:
    with (
        pretended_worker("one:1", queues=[remote.queue], slots=64),
        pretended_worker("two:1", queues=[remote.queue, "route"], slots=8),
        pretended_worker("three:1", queues=[remote.queue], slots=8, is_draining=True),
    ):
        found = figures()
    assert (queue(remote.queue, found).workers, queue(remote.queue, found).slots) == (2, 72)
    assert (queue("route", found).workers, queue("background", found).workers) == (1, 0)


def test_an_old_worker_beside_a_newer_one_is_told_apart() -> None:
    code = own_code()
    with (
        pretended_worker("old:1", code="0123456789", code_changed_at=code.changed_at - 60),
        pretended_worker("same:1", code=code.digest, code_changed_at=code.changed_at),
    ):
        assert {worker.process.name: worker.is_old for worker in figures().workers} == {"old:1": True, "same:1": False}
        with pretended_worker("newer:1", code="9876543210", code_changed_at=code.changed_at + 60):
            assert [worker.is_old for worker in figures().workers] == [False, True, True]


def test_tokens_are_those_of_the_last_minute(remote: Model) -> None:
    completion(remote, queued=30, started=29, finished=20, completion_tokens=600)
    completion(remote, queued=99, started=98, finished=90, completion_tokens=999)
    assert figures().tokens_per_second == 10


def test_failures_are_counted_by_provider_and_code() -> None:
    for provider in ("Acme Inc", "Acme Inc", "Other"):
        failures.note(provider, "rate_limited")
    assert figures().failures == [
        failures.Failures("Acme Inc", "rate_limited", 2),
        failures.Failures("Other", "rate_limited", 1),
    ]


def test_what_is_set_aside_is_told_with_its_cause(remote: Model) -> None:
    row = completion(
        remote, queued=9, started=8, finished=5, status="quarantined", attempt=3, error_detail="It ate it."
    )
    found = figures()
    assert found.set_aside_count == 1
    (one,) = found.set_aside
    assert (one.kind, one.pk, one.cause, one.attempts) == ("workers.completion", str(row.pk), "It ate it.", 3)
    assert one.what == "Generate with Acme large"


def test_a_large_file_that_is_set_aside_stays_in_the_database(alice: Any) -> None:
    Import.objects.create(user=alice, name="all.json", content=b"[]", status="quarantined", finished_at=NOW)
    with CaptureQueriesContext(connection) as asked:
        assert [one.what for one in figures().set_aside] == ["Import"]
    assert not [query["sql"] for query in asked if '"transfer_import"."content"' in query["sql"]]


def test_without_redis_the_rows_still_tell(remote: Model, no_redis: None) -> None:
    completion(remote, queued=10)
    found = figures()
    assert (found.is_redis_away, found.is_reaper_on_duty, queue(remote.queue, found).depth) == (True, False, 1)


def test_the_number_of_queries_does_not_grow(remote: Model, django_assert_max_num_queries: Any) -> None:
    for number in range(20):
        completion(remote, queued=number + 3, started=number + 2, finished=number + 1)
    with django_assert_max_num_queries(34):
        figures()
