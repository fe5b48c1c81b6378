"""Jobs beyond what one person may have in a queue are held, and released in their turn, whoever ends the one before."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import OperationalError

from tests.processes import wait_until
from workers.broker import RedisQueues
from workers.connections import client
from workers.models import Completion, Model, Provider
from workers.reaper import Reaper

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def model() -> Model:
    provider = Provider.objects.create(name="Server", kind="openai", base_url="http://127.0.0.1:9/v1")
    return Model.objects.create(provider=provider, name="m", identifier="m")


@pytest.fixture
def builtin() -> Model:
    provider = Provider.objects.create(name="Built in", kind="embedded")
    return Model.objects.create(provider=provider, name="z", identifier="minilm-zero-shot")


def enqueue(person: Any, model: Model) -> Completion:
    completion = Completion.objects.create(
        person=person, reply_id=uuid.uuid4(), role="generate", model=model, prompt=[]
    )
    completion.enqueue_on_commit()
    return completion


def published(model: Model) -> set[str]:
    return {key for key, _ in RedisQueues().jobs({model.queue})}


def ids(completions: list[Completion]) -> set[str]:
    return {str(completion.pk) for completion in completions}


def test_two_go_and_the_others_are_held(alice: Any, model: Model) -> None:
    mine = [enqueue(alice, model) for _ in range(5)]
    assert published(model) == ids(mine[:2])


def test_other_people_and_other_queues_are_not_held_up(alice: Any, bob: Any, model: Model, builtin: Model) -> None:
    for _ in range(3):
        enqueue(alice, model)
    assert str(enqueue(bob, model).pk) in published(model)
    assert str(enqueue(alice, builtin).pk) in published(builtin)


@pytest.mark.parametrize("ending", ["done", "failed", "cancelled while it waits"])
def test_the_end_of_one_releases_the_next(alice: Any, model: Model, ending: str) -> None:
    mine = [enqueue(alice, model) for _ in range(4)]
    if ending == "cancelled while it waits":
        assert mine[0].cancel_waiting()
    else:
        claimed = Completion.claim(mine[0].pk, 1)
        assert claimed is not None
        assert claimed.close(ending)
    assert ids([mine[2]]) <= published(model)
    assert str(mine[3].pk) not in published(model)


def test_what_goes_wrong_in_releasing_does_not_undo_the_end(
    alice: Any, model: Model, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    claimed = Completion.claim(enqueue(alice, model).pk, 1)
    assert claimed is not None
    monkeypatch.setattr("workers.jobs._any_held", _be_away)
    assert claimed.close("done")
    assert "Job.release_held" in caplog.text


def _be_away(*_: Any) -> None:
    raise OperationalError("the database is starting up")


def test_a_held_one_can_be_cancelled(alice: Any, model: Model) -> None:
    mine = [enqueue(alice, model) for _ in range(4)]
    assert mine[2].cancel_waiting()
    assert mine[0].cancel_waiting()
    assert str(mine[3].pk) in published(model)
    assert str(mine[2].pk) not in published(model)


def test_an_attempt_that_begins_anew_keeps_its_place(alice: Any, model: Model) -> None:
    mine = [enqueue(alice, model) for _ in range(3)]
    claimed = Completion.claim(mine[0].pk, 1)
    assert claimed is not None
    assert claimed.retry()
    Completion.release_held(alice.pk)
    assert str(mine[2].pk) not in published(model)


def test_the_reaper_takes_nothing_that_is_held_for_lost(alice: Any, model: Model) -> None:
    mine = [enqueue(alice, model) for _ in range(4)]
    subject = Reaper()
    for _ in range(2):
        subject.scan()
        subject._first_seen = {key: since - 60 for key, since in subject._first_seen.items()}
    assert published(model) == ids(mine[:2])


def test_the_reaper_releases_what_nobody_else_did(alice: Any, model: Model) -> None:
    mine = [enqueue(alice, model) for _ in range(4)]
    Completion.objects.filter(pk=mine[0].pk).delete()  # or its worker died right after it had ended
    subject = Reaper()
    subject.scan()
    subject._first_seen = {key: since - 60 for key, since in subject._first_seen.items()}
    subject._next_look = 0.0
    subject.scan()
    assert ids([mine[2]]) <= published(model)
    assert str(mine[3].pk) not in published(model)


def test_what_redis_forgot_is_published_again_and_what_is_held_stays(alice: Any, model: Model) -> None:
    mine = [enqueue(alice, model) for _ in range(4)]
    client().flushall()
    subject = Reaper()

    def is_back() -> bool:
        subject.scan()
        return published(model) == ids(mine[:2])

    wait_until(is_back, what="the reaper")
