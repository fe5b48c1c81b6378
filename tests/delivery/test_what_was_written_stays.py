"""An answer that is never whole ends with the most that one of its tries has brought, in the row and in the stream.

Also if an earlier attempt has brought it, whose process has died since.
"""

from __future__ import annotations

import threading
import uuid
from typing import Any

import pytest

from chatsite.chat import turns
from faults.checking import Replay
from tests.backends.fake_provider import FakeProvider
from tests.pages import rows
from workers import attempts, completing, isolation
from workers.backends.base import Cancellation
from workers.connections import client, stream_key
from workers.events import Event, Kind
from workers.models import Completion, Model, Provider
from workers.retrying import RetryBudget
from workers.stream import StreamWriter

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("last", "status"), [("error404", "failed"), ("hang", "cancelled")])
def test_what_was_written_stays_though_the_next_model_brings_nothing(
    provider: FakeProvider, monkeypatch: Any, last: str, status: str
) -> None:
    monkeypatch.setattr(completing, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(completing, "budget_of", lambda _: RetryBudget())  # other tests have used that of the process
    row = Provider.objects.create(name="Fake", kind="openai", base_url=provider.base_url)
    first, second = (Model.objects.create(provider=row, name=name, identifier=name) for name in ("cut3", last))
    completion = Completion.objects.create(
        reply_id=uuid.uuid4(),
        role="generate",
        model=first,
        fallbacks=[second.pk],
        prompt=[{"role": "user", "content": "Hello"}],
    )
    with attempts.claimed(Completion, str(completion.pk), 1) as held:
        assert held
        stopping = threading.Thread(target=_stop_the_fourth, args=[provider, held[1]])
        stopping.start()
        completing.run(*held)
        stopping.join()
    completion.refresh_from_db()
    assert (completion.status, completion.text) == (status, "t0 t1 t2 ")
    replayed = Replay([Event.from_entry(*entry) for entry in client().xrange(stream_key(completion.reply_id))])
    assert (replayed.text, replayed.has_ended, replayed.faults) == ("t0 t1 t2 ", True, [])


@pytest.fixture
def interrupted(provider: FakeProvider) -> Completion:
    """Its first attempt died after two tries, of which the first was longer; the next one waits."""
    row = Provider.objects.create(name="Fake", kind="openai", base_url=provider.base_url)
    model = Model.objects.create(provider=row, name="first", identifier="error404")
    completion = Completion.objects.create(
        reply_id=uuid.uuid4(), role="generate", model=model, attempt=2, deaths=1, prompt=[]
    )
    write_first(completion.reply_id)
    return completion


def write_first(reply_id: uuid.UUID) -> None:
    writer = StreamWriter(reply_id, 1, Cancellation())
    writer.event(Kind.STARTED, model="first")
    writer.delta("Once upon ")
    writer.delta("a time")
    writer.event(Kind.RESET, model="second")
    writer.delta("Once")
    assert writer.flush(10)


def ended(completion: Completion) -> tuple[str, str]:
    """How it has ended, and with what, once that has been found to be the same in its stream."""
    completion.refresh_from_db()
    replayed = Replay([Event.from_entry(*entry) for entry in client().xrange(stream_key(completion.reply_id))])
    assert (replayed.text, replayed.has_ended, replayed.faults) == (completion.text, True, [])
    return completion.status, completion.text


def run(completion: Completion, *, stop: bool = False) -> None:
    with attempts.claimed(Completion, str(completion.pk), completion.attempt) as held:
        assert held
        if stop:
            held[1].cancellation.set()
        completing.run(*held)


def test_it_stays_though_the_next_attempt_fails_before_a_word(interrupted: Completion) -> None:
    run(interrupted)
    assert ended(interrupted) == ("failed", "Once upon a time")


def test_it_stays_though_there_is_no_model_any_more(interrupted: Completion) -> None:
    Model.objects.all().delete()
    run(interrupted)
    assert ended(interrupted) == ("failed", "Once upon a time")
    assert interrupted.error_code == "unknown_model"


def test_it_stays_when_the_next_attempt_is_stopped_before_a_word(interrupted: Completion) -> None:
    run(interrupted, stop=True)
    assert ended(interrupted) == ("cancelled", "Once upon a time")
    assert interrupted.answered_by == interrupted.model


def test_it_stays_when_the_next_attempt_is_stopped_before_it_begins(alice: Any) -> None:
    turn = rows.turn(alice, answer="", status="queued", attempt=2, deaths=1)
    write_first(turn.pk)
    turns.stop(alice, reply_id=turn.pk)
    assert turn.completion
    assert ended(turn.completion) == ("cancelled", "Once upon a time")


@pytest.mark.parametrize(("more", "left"), [("", "Once upon a time"), ("Once upon a time, by", "Once upon a time, by")])
def test_the_most_of_it_stays_when_the_next_attempt_ends_its_process(
    interrupted: Completion, more: str, left: str
) -> None:
    claimed = Completion.claim(interrupted.pk, 2)
    assert claimed
    writer = StreamWriter(interrupted.reply_id, 2, Cancellation())
    writer.event(Kind.STARTED, model="first")
    if more:
        writer.delta(more)
    assert writer.flush(10)
    isolation.quarantine(claimed, "Its process died twice.")
    assert ended(interrupted) == ("quarantined", left)


def _stop_the_fourth(provider: FakeProvider, lease: Any) -> None:
    """The request after three tries of the first model, if it waits."""
    request = provider.wait_for_requests(4)[3]
    if request.model == "hang":
        assert request.fell_silent.wait(20)
        lease.cancellation.set()
