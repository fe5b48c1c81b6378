"""`manage.py ask` where no worker runs, and where there is not even a Redis: it does the work itself."""

from __future__ import annotations

import pytest

from tests.chat.test_ask import ask
from tests.processes import wait_until
from workers.presence import is_served

pytestmark = pytest.mark.django_db(transaction=True)

QUESTION = "is this spam or not spam: you have won a million, click here"


def test_without_workers_it_does_their_work(defaults: None) -> None:
    wait_until(lambda: not is_served("route"), what="the workers of earlier tests to be forgotten")
    shown = ask(QUESTION, "--route", "classify")
    assert shown.startswith("[classify by explicit")
    assert "not spam" in shown


def test_without_redis_it_starts_one_for_itself(defaults: None, no_redis: None) -> None:
    assert "not spam" in ask(QUESTION, "--route", "classify")
