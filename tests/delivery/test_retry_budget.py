"""Retries are at most a tenth of the requests to a provider, and a few where there are few requests."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import pytest

from tests.backends.fake_provider import FakeProvider
from workers import attempts, completing, retrying
from workers.models import Completion, Model, Provider
from workers.retrying import RetryBudget


@pytest.fixture
def clock(monkeypatch: Any) -> Any:
    """The time as the budget sees it, to be set."""

    class Clock:
        now = 1000.0

        def monotonic(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr(retrying, "time", clock)
    return clock


def taken(budget: RetryBudget, wanted: int) -> int:
    return sum(budget.take() for _ in range(wanted))


def test_a_provider_in_trouble_gets_a_tenth_more_requests(clock: Any) -> None:
    budget = RetryBudget()
    assert taken(budget, 100) == 10, "the reserve"
    repeated = 0
    for _ in range(1000):
        budget.note_request()
        repeated += taken(budget, 2)
    assert 95 <= repeated <= 100


def test_few_requests_may_be_repeated_again_after_a_while(clock: Any) -> None:
    budget = RetryBudget()
    taken(budget, 100)
    clock.now += 12.5
    assert taken(budget, 100) == 2
    clock.now += 3600
    assert taken(budget, 100) == 10


def test_threads_share_it(clock: Any) -> None:
    budget, counts = RetryBudget(), []
    threads = [threading.Thread(target=lambda: counts.append(taken(budget, 5))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 10


@pytest.mark.django_db
def test_with_nothing_left_a_failing_model_is_asked_once(provider: FakeProvider, monkeypatch: Any) -> None:
    monkeypatch.setattr(completing, "PAUSE_SECONDS", 0.0)
    row = Provider.objects.create(name="Fake", kind="openai", base_url=provider.base_url)
    model = Model.objects.create(provider=row, name="m", identifier="error500")
    taken(retrying.budget_of(row.pk), 8)
    requests = []
    for _ in range(3):
        completion = Completion.objects.create(
            reply_id=uuid.uuid4(), role="generate", model=model, prompt=[{"role": "user", "content": "Hello"}]
        )
        before = len(provider.chats)
        with attempts.claimed(Completion, str(completion.pk), 1) as held:
            assert held
            completing.run(*held)
        requests.append(len(provider.chats) - before)
        completion.refresh_from_db()
        assert (completion.status, completion.error_code) == ("failed", "provider_unavailable")
    assert requests == [3, 1, 1]
