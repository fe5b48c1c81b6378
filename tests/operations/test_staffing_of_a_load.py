"""The number of workers that the page names, held against what happens: messages come at random, and wait for slots."""

from __future__ import annotations

import heapq
import random
import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from chatsite.operations.advice import SHARE, staffing
from chatsite.operations.figures import Waits, figures
from chatsite.operations.staffing import Load, slots_needed
from tests.processes import pretended_worker
from workers import presence
from workers.connections import client
from workers.models import Completion, Model, Provider

LOAD = Load(arrivals_per_second=2.0, service_seconds=12.0)
WAIT_SECONDS = 2.0


def happened(load: Load, slots: int, count: int, seed: int) -> Iterator[tuple[float, float, float]]:
    """When each message came, was taken and was answered, in seconds."""
    chance = random.Random(seed)
    free_at = [0.0] * slots
    now = 0.0
    for _ in range(count):
        now += chance.expovariate(load.arrivals_per_second)
        started = max(now, heapq.heappop(free_at))
        ended = started + chance.expovariate(1 / load.service_seconds)
        heapq.heappush(free_at, ended)
        yield now, started, ended


def p95_wait(slots: int) -> float:
    return Waits.of(started - came for came, started, _ in happened(LOAD, slots, 50_000, seed=1)).p95_seconds


def test_so_many_slots_are_enough_and_a_fifth_fewer_are_not() -> None:
    slots = slots_needed(LOAD, WAIT_SECONDS, SHARE)
    assert p95_wait(slots) <= WAIT_SECONDS
    assert p95_wait(round(slots * 0.8)) > WAIT_SECONDS


@pytest.mark.django_db
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("slots", [20, 30, 60])  # too few, enough, far too many
def test_the_page_names_the_right_number_within_a_fifth(seed: int, slots: int) -> None:
    """After six minutes of the load, from nothing but the rows, however many slots there are now."""
    client().delete(presence.INDEX)
    model = Model.objects.create(
        provider=Provider.objects.create(name="Acme", base_url="http://127.0.0.1:9/v1"), name="a", identifier="a"
    )
    seen = list(happened(LOAD, slots, 720, seed))
    end = seen[-1][0]
    now = timezone.now()

    def row(came: float, started: float, ended: float) -> Completion:
        facts = {"queued_at": came, "started_at": started, "finished_at": ended}
        times = {name: now - timedelta(seconds=end - second) for name, second in facts.items() if second <= end}
        status = "done" if "finished_at" in times else "running" if "started_at" in times else "queued"
        return Completion(reply_id=uuid.uuid4(), role="generate", model=model, prompt=[], status=status, **times)

    Completion.objects.bulk_create([row(*times) for times in seen])
    with pretended_worker(queues=[model.queue], slots=1):
        queue = next(queue for queue in figures().queues if queue.name == model.queue)
    named = staffing(queue, WAIT_SECONDS)
    assert named is not None
    assert named.workers == pytest.approx(slots_needed(LOAD, WAIT_SECONDS, SHARE), rel=0.2)
