"""A process that dies is missed at once; one that is frozen, or whose connection breaks, is not taken for dead."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests import processes
from tests.answers import queued, words
from tests.backends.fake_provider import FakeProvider
from tests.conftest import Connect
from tests.processes import wait_until
from workers import presence
from workers.connections import client
from workers.leases import lease_key
from workers.models import Completion
from workers.reaper import Reaper

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]


@pytest.fixture
def reaper(settings: Any) -> Reaper:
    """One that has been on duty for long, and knows leases that last for minutes."""
    settings.LEASE_SECONDS = 300.0
    subject = Reaper()
    subject._notice_restart()
    subject._patient_until = 0.0
    return subject


@pytest.fixture
def _forgotten() -> Iterator[None]:
    """What says that it lives for minutes, and was killed, is not there for the tests that follow."""
    yield
    client().delete(*map(presence.key, (name.decode() for name in client().smembers(presence.INDEX))))


def is_tied(name: str) -> bool:
    [(_, subscribers)] = client().pubsub_numsub(presence.tie_channel(name))
    return bool(subscribers)


def names_holder(completion: Completion) -> bool:
    return bool(client().get(lease_key(Completion, completion.pk, 1)))


def silent_seconds(name: str) -> float:
    return 300.0 - float(client().pttl(presence.key(name))) / 1000


@pytest.mark.usefixtures("_forgotten")
def test_only_the_dead_are_missed(
    transactional_db: None, provider: FakeProvider, connect: Connect, reaper: Reaper
) -> None:
    (gated,) = connect("gate10-tokens60")

    def scan_until(is_so: Callable[[], bool], what: str) -> None:
        def scan() -> bool:
            reaper.scan()
            return is_so()

        wait_until(scan, 30, what)

    with processes.worker(gated.queue, LEASE_SECONDS="300") as first:
        completion = queued(gated)
        row = Completion.objects.filter(pk=completion.pk)
        wait_until(row.filter(status="running").exists, 30, "an answer that is being written")
        said = processes.said_by(first.pid)
        assert said
        name = said.name
        wait_until(lambda: is_tied(name), what="the tie")
        client().client_kill_filter(_type="pubsub")
        scan_until(lambda: not names_holder(completion), "the lease to name nobody")
        scan_until(lambda: names_holder(completion), "the tie to be mended")
        os.kill(first.pid, signal.SIGSTOP)
        scan_until(lambda: silent_seconds(name) > 2 * presence.SILENT_SECONDS, "the process to be silent")
        assert row.get().attempt == 1
        began = time.monotonic()
        first.send(signal.SIGKILL)
        scan_until(row.filter(attempt=2, deaths=1).exists, "another attempt")
        assert time.monotonic() - began < 300, "the lease had run out"
    with processes.worker(gated.queue):
        provider.release()
        wait_until(row.filter(status="done").exists, 30, "the answer")
    completion.refresh_from_db()
    assert completion.text == words(60)
