"""The line: places by turns, times from what the last answers took, and nothing told that is made worse later."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.utils import timezone

from workers import line, presence
from workers.connections import client
from workers.line import Expected, Line, Place
from workers.models import Completion, Model, Provider
from workers.reaper import Reaper

pytestmark = pytest.mark.django_db

Enqueue = Callable[..., Completion]


@pytest.fixture
def model() -> Model:
    provider = Provider.objects.create(name="Server", kind="openai", base_url="http://127.0.0.1:9/v1")
    return Model.objects.create(provider=provider, name="m", identifier="m")


@pytest.fixture
def enqueue(model: Model) -> Enqueue:
    def create(person: Any, **fields: Any) -> Completion:
        facts = {"person": person, "reply_id": uuid.uuid4(), "role": "generate", "model": model, "prompt": []}
        completion = Completion.objects.create(**{**facts, **fields})
        if not fields:
            completion.enqueue_on_commit()
        return completion

    return create


@pytest.fixture
def _two_slots(model: Model, enqueue: Enqueue, alice: Any) -> None:
    """A worker of two slots, and an answer that took ten seconds."""
    worker = presence.Process("somewhere:1", queues=["remote"], slots=2)
    client().set(presence.key(worker.name), orjson.dumps(worker))
    client().sadd(presence.INDEX, worker.name)
    now = timezone.now()
    enqueue(alice, status="done", started_at=now - timedelta(seconds=10), finished_at=now)


def told(*completions: Completion) -> list[Place | None]:
    found = line.places(completion.reply_id for completion in completions)
    return [found.get(completion.reply_id) for completion in completions]


@pytest.mark.usefixtures("_two_slots")
def test_places_go_by_turns(alice: Any, bob: Any, enqueue: Enqueue) -> None:
    hers = [enqueue(alice) for _ in range(4)]
    his = [enqueue(bob) for _ in range(3)]
    Line().update()
    positions = [place and place.position for place in told(*hers, *his)]
    assert positions == [1, 2, 5, 7, 3, 4, 6]


@pytest.mark.usefixtures("_two_slots")
def test_times_are_what_the_last_answers_took_by_slots(alice: Any, enqueue: Enqueue) -> None:
    hers = [enqueue(alice) for _ in range(3)]
    Line().update()
    assert told(*hers) == [Place(1, 5.0), Place(2, 10.0), Place(3, 15.0)]
    expected = line.expected()
    assert expected == Expected(wait_seconds=10.0, service_seconds=10.0, waiting=2, more_seconds=5.0), "the held one"
    assert [expected.wait_behind(ahead) for ahead in (1, 2, 4)] == [10.0, 10.0, 20.0]


@pytest.mark.usefixtures("_two_slots")
def test_held_ones_have_to_wait_for_the_persons_own(alice: Any, enqueue: Enqueue) -> None:
    for _ in range(2):
        Completion.claim(enqueue(alice).pk, 1)
    held = [enqueue(alice) for _ in range(3)]
    Line().update()
    assert told(*held) == [Place(1, 5.0), Place(2, 10.0), Place(3, 15.0)]


def test_without_a_worker_or_an_ended_answer_nobody_knows_how_long(alice: Any, enqueue: Enqueue) -> None:
    waiting = enqueue(alice)
    Line().update()
    assert told(waiting) == [Place(1, None)]
    assert line.expected() == Expected()


@pytest.mark.usefixtures("_two_slots")
def test_what_was_told_is_never_made_worse(alice: Any, bob: Any, enqueue: Enqueue) -> None:
    hers = [enqueue(alice) for _ in range(3)]
    subject = Line()
    subject.update()
    assert told(hers[2]) == [Place(3, 15.0)]
    for _ in range(2):
        enqueue(bob)  # before her third, as it is his turn
    Completion.objects.filter(status="done").update(started_at=timezone.now() - timedelta(hours=1))
    subject._next_measure = 0.0
    subject.update()
    assert told(hers[2]) == [Place(3, 15.0)]
    Line().update()  # another reaper
    assert told(hers[2]) == [Place(3, 15.0)]
    client().flushall()
    subject.update()  # Redis has forgotten it
    assert told(hers[2]) == [Place(3, 15.0)]


@pytest.mark.usefixtures("_two_slots")
def test_who_leaves_makes_room(alice: Any, enqueue: Enqueue) -> None:
    first, second = enqueue(alice), enqueue(alice)
    subject = Line()
    subject.update()
    first.cancel_waiting()
    subject.update()
    assert told(first, second) == [None, Place(1, 5.0)]


def test_a_new_attempt_goes_first(alice: Any, bob: Any, enqueue: Enqueue) -> None:
    hers, his = enqueue(alice), enqueue(bob)
    claimed = Completion.claim(his.pk, 1)
    assert claimed is not None
    claimed.retry()
    Line().update()
    assert told(hers, his) == [Place(2), Place(1)]


def test_the_reaper_keeps_the_line(alice: Any, enqueue: Enqueue) -> None:
    waiting = enqueue(alice)
    Reaper()._update_line()
    assert told(waiting) == [Place(1)]


def test_a_reaper_that_comes_back_tells_nothing_worse_than_the_one_between(alice: Any, enqueue: Enqueue) -> None:
    waiting = [enqueue(alice), enqueue(alice)]
    subject = Reaper()
    assert subject._is_on_duty()
    subject._update_line()
    client().set("reaper", "another one")
    assert not subject._is_on_duty()
    client().hset(line.PLACES, str(waiting[1].reply_id), orjson.dumps([1, None]))
    client().delete("reaper")
    assert subject._is_on_duty()
    subject._next_line = 0.0
    subject._update_line()
    assert told(*waiting) == [Place(1), Place(1)]
