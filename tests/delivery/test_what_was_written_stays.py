"""An answer that is never whole ends with the most that one of its tries has brought, in the row and in the stream."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import pytest

from faults.checking import Replay
from tests.backends.fake_provider import FakeProvider
from workers import attempts, completing
from workers.connections import client, stream_key
from workers.events import Event
from workers.models import Completion, Model, Provider
from workers.retrying import RetryBudget

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


def _stop_the_fourth(provider: FakeProvider, lease: Any) -> None:
    """The request after three tries of the first model, if it waits."""
    request = provider.wait_for_requests(4)[3]
    if request.model == "hang":
        assert request.fell_silent.wait(20)
        lease.cancellation.set()
