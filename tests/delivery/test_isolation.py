"""The last attempt of a job that may be to blame for the deaths of its processes: alone, and watched."""

from __future__ import annotations

import os
import signal
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings

from tests.processes import wait_until
from workers import attempts, isolation
from workers.connections import client, stream_key
from workers.forking import Forker
from workers.models import Completion, Model, Provider

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def suspected() -> Completion:
    """It waits for its last attempt."""
    provider = Provider.objects.create(name="p", kind="embedded")
    model = Model.objects.create(provider=provider, name="m", identifier="minilm-extractive")
    most = settings.MAX_ATTEMPTS
    return Completion.objects.create(
        reply_id=uuid.uuid4(), role="summarise", model=model, prompt=[], attempt=most, deaths=most - 1
    )


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., None]], None]:
    """`runs(function)`: what a process of an attempt's own does here, instead of running the task."""

    def use(run: Callable[..., None]) -> None:
        monkeypatch.setattr(isolation, "_forker", Forker(run, isolation._judge))

    return use


def attempted(completion: Completion) -> Completion:
    """It, after a worker has been given it."""
    with attempts.claimed(Completion, str(completion.pk), completion.attempt) as held:
        assert held is None, "it was not run alone"
    completion.refresh_from_db()
    return completion


def claim(_: str, pk: str, attempt: str) -> Completion:
    claimed = Completion.claim(pk, int(attempt))
    assert claimed
    return claimed


def test_what_a_process_of_its_own_has_ended_well_is_well(suspected: Completion, runs: Any) -> None:
    runs(lambda *words: claim(*words).close("done", text=f"In process {os.getpid()}."))
    ended = attempted(suspected)
    assert ended.status == "done"
    assert ended.text != f"In process {os.getpid()}."


@pytest.mark.parametrize("how_far", ["before its claim", "after its claim"])
def test_what_ends_its_own_process_is_quarantined_and_its_reader_told(
    suspected: Completion, runs: Any, how_far: str
) -> None:
    def die(*words: str) -> None:
        if how_far == "after its claim":
            claim(*words)
        os.kill(os.getpid(), signal.SIGKILL)

    runs(die)
    ended = attempted(suspected)
    assert (ended.status, ended.error_detail) == ("quarantined", "Ended its own process (exit status -9).")
    [(_, fields)] = client().xrange(stream_key(ended.reply_id))
    assert fields[b"kind"] == b"failed"


def test_what_ends_its_own_process_is_quarantined_although_its_worker_has_died_of_another_job(
    suspected: Completion, runs: Any
) -> None:
    runs(lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    assert isolation._forker
    child = isolation._forker.start(suspected._meta.label, str(suspected.pk), str(suspected.attempt))
    child._report.close()  # as the death of a process closes it
    wait_until(Completion.objects.filter(pk=suspected.pk, status="quarantined").exists, what="the judgement")


def test_many_run_alone_beside_each_other() -> None:
    forker = Forker(lambda first, second: os._exit(int(first) + int(second)), lambda *_: None)
    children = [forker.start(str(number), "1") for number in range(8)]
    assert [child.wait() for child in children] == list(range(1, 9))


def test_a_worker_that_cannot_fork_any_more_ends_itself(
    suspected: Completion, runs: Any, monkeypatch: pytest.MonkeyPatch, sigterm: threading.Event
) -> None:
    runs(lambda *_: None)
    monkeypatch.setattr(Forker, "start", _broken)
    assert attempted(suspected).status == "queued"
    assert sigterm.wait(5)


def _broken(*_: Any) -> None:
    raise BrokenPipeError


@pytest.fixture
def sigterm() -> Iterator[threading.Event]:
    """Set when somebody tells this process to end, which it does not do then."""
    came = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: came.set())
    yield came
    signal.signal(signal.SIGTERM, before)
