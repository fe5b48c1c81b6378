"""A worker that drains or is told to stop loses nothing: it finishes, or others go on at once."""

from __future__ import annotations

import signal
from contextlib import AbstractContextManager

import pytest

from tests import processes
from tests.answers import queued, words
from tests.backends.fake_provider import FakeProvider
from tests.conftest import Connect
from tests.processes import wait_until
from workers import draining, presence
from workers.models import Completion

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

TEXT = words(60)


def patient_worker(queue: str) -> AbstractContextManager[processes.Process]:
    return processes.worker(queue, LEASE_SECONDS="300", SHUTDOWN_GRACE_SECONDS="0.2")


def said(worker: processes.Process) -> presence.Process:
    found = processes.said_by(worker.pid)
    assert found
    return found


def wait_for(completion: Completion, status: str) -> None:
    rows = Completion.objects.filter(pk=completion.pk, status=status)
    wait_until(rows.exists, 30, f"an answer that is {status}")


def test_a_draining_worker_finishes_and_takes_nothing_more_until_it_resumes(
    transactional_db: None, defaults: None, provider: FakeProvider, connect: Connect
) -> None:
    (gated,) = connect("gate10-tokens60")
    with processes.worker(gated.queue, concurrency=3) as worker:
        first = queued(gated)
        wait_for(first, "running")
        name = said(worker).name
        draining.ask(name, to_drain=True)
        wait_until(lambda: said(worker).is_draining, what="the worker to heed it")
        assert not said(worker).serves(gated.queue)
        waiting = [queued(gated) for _ in range(4)]
        provider.release()
        wait_for(first, "done")
        wait_until(lambda: said(worker).is_drained, what="the worker to be drained")
        assert {row.status for row in Completion.objects.filter(pk__in=[row.pk for row in waiting])} == {"queued"}
        draining.ask(name, to_drain=False)
        for row in waiting:
            wait_for(row, "done")
    assert set(Completion.objects.values_list("text", "attempt")) == {(TEXT, 1)}


def test_a_worker_that_is_told_to_stop_hands_over_what_it_writes(
    transactional_db: None, defaults: None, provider: FakeProvider, connect: Connect
) -> None:
    """There is no reaper, and leases last for minutes: only the worker itself can have handed it over."""
    (gated,) = connect("gate10-tokens60")
    with patient_worker(gated.queue) as leaving:
        completion = queued(gated)
        wait_for(completion, "running")
        with patient_worker(gated.queue):
            leaving.send(signal.SIGTERM)
            wait_until(Completion.objects.filter(attempt=2, status="running").exists, what="the other one to go on")
            provider.release()
            wait_for(completion, "done")
            assert leaving.wait(20) == 0
    completion.refresh_from_db()
    assert (completion.attempt, completion.deaths, completion.text) == (2, 0, TEXT)


def test_a_worker_that_is_told_to_stop_finishes_what_it_can(
    transactional_db: None, defaults: None, provider: FakeProvider, connect: Connect
) -> None:
    (gated,) = connect("gate10-tokens60")
    with processes.worker(gated.queue) as leaving:
        completion = queued(gated)
        wait_for(completion, "running")
        leaving.send(signal.SIGTERM)
        wait_until(lambda: said(leaving).is_draining, what="the worker to say that it takes nothing more")
        provider.release()
        assert leaving.wait(20) == 0
    completion.refresh_from_db()
    assert (completion.status, completion.attempt, completion.text) == ("done", 1, TEXT)
