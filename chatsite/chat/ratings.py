"""What people think of answers: good or bad, with a reason if they like, and taken back as easily."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from chatsite.chat import access, feed, presenting
from chatsite.chat.conversations import on_one_line
from chatsite.chat.frames import Frame
from chatsite.chat.models import Rating, Turn
from chatsite.chat.refusals import RefusedError

LONGEST_REASON = 300


def rate(user: Any, *, reply_id: Any, value: str, reason: str | None = None) -> Turn:
    """Rate an answer, or change that; with an empty `value`, take it back. All tabs of the person are told.

    Without a `reason`, the one that was given for the same value stays. Raises `RefusedError` or `Http404`.
    """
    turn = access.reply_or_404(user, reply_id)
    if turn.answer.is_open:
        raise RefusedError("still_answering")
    if not value:
        Rating.objects.filter(turn=turn, user=user).delete()
    elif value in Rating.Value:
        _save(turn, user, value, reason)
    else:
        raise RefusedError("bad_frame")
    feed.tell(user.pk, _frame(turn, value))
    return turn


def rating_of(user: Any, turn: Turn) -> Rating | None:
    """What a person thinks of an answer; None if they did not say."""
    return Rating.objects.filter(turn=turn, user=user).first()


def _save(turn: Turn, user: Any, value: str, reason: str | None) -> None:
    former = rating_of(user, turn)
    if reason is None:
        reason = former.reason if former and former.value == value else ""
    fields = {"value": value, "reason": on_one_line(reason)[:LONGEST_REASON], "rated_at": timezone.now()}
    Rating.objects.update_or_create(turn=turn, user=user, defaults=fields)


def _frame(turn: Turn, value: str) -> Frame:
    return {"type": "rated", "reply": str(turn.pk), "rating": value, "html": presenting.render_rated(turn)}
