"""Stopping an answer at an awkward moment: it never has to be stopped twice, unless that is said."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from chatsite.chat import access, answering, turns
from chatsite.chat.models import Conversation, Turn
from tests.pages import rows
from workers import attempts
from workers.models import Completion

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = "tl;dr: One day passed. Another day came after that. And so it went on and on."


@pytest.fixture
def turn(alice: Any, defaults: None) -> Turn:
    return turns.submit(alice, text=TEXT)


def test_what_is_stopped_while_it_is_decided_waits_for_no_model(alice: Any, turn: Turn) -> None:
    with attempts.claimed(Turn, str(turn.pk), 1) as held:
        assert held is not None
        turns.stop(alice, reply_id=turn.pk)
        answering.answer(*held)
    turn.refresh_from_db()
    assert (turn.status, Completion.objects.count()) == ("cancelled", 0)


def test_what_is_decided_while_it_is_stopped_waits_for_no_model(
    alice: Any, turn: Turn, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = access.reply_or_404

    def find_before_it_is_decided(*arguments: Any) -> Turn:
        found = find(*arguments)
        with attempts.claimed(Turn, str(turn.pk), 1) as held:
            if held:
                answering.answer(*held)
        return found

    monkeypatch.setattr(access, "reply_or_404", find_before_it_is_decided)
    stopped = turns.stop(alice, reply_id=turn.pk)
    assert (stopped.status, stopped.answer.status) == ("done", "cancelled")


def test_where_nobody_could_be_told_to_stop_that_is_not_kept_quiet(alice: Any, no_redis: None) -> None:
    waiting, running = (rows.undecided(alice, status=status) for status in ("queued", "running"))
    assert turns.stop(alice, reply_id=waiting.pk).status == "cancelled"
    with pytest.raises(redis.ConnectionError):
        turns.stop(alice, reply_id=running.pk)
    turns.stop_all(Conversation.objects.all())
