"""Messages that are decided right here, by the spine itself, without a worker process."""

from __future__ import annotations

from typing import Any

from chatsite.chat import answering, turns
from chatsite.chat.models import Turn
from workers import attempts


def decided(user: Any, text: str, **fields: Any) -> Turn:
    """The turn of a message that `user` sends, once its route is decided. `fields` are those of `turns.submit`."""
    turn = turns.submit(user, text=text, **fields)
    with attempts.claimed(Turn, str(turn.pk), turn.attempt) as held:
        assert held is not None
        answering.answer(*held)
    return Turn.objects.select_related("decision", "message").get(pk=turn.pk)
