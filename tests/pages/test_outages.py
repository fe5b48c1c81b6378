"""While the database or Redis is away, pages say so, and when to try again."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from django.db import OperationalError
from django.test import Client

from chatsite.chat import turns


@pytest.mark.parametrize("error", [OperationalError("database or disk is full"), redis.ConnectionError("refused")])
def test_a_message_that_cannot_be_saved_now_is_refused_with_a_time(
    error: Exception, alice: Any, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def submit(*_: Any, **__: Any) -> None:
        raise error

    client.force_login(alice)
    monkeypatch.setattr(turns, "submit", submit)
    answer = client.post("/", {"text": "Hello"})
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert "what you typed is still there" in answer.content.decode()
    assert "disk" not in answer.content.decode()
