"""“Wrong route”: a correction is filed, and the message is answered again by the route that the person wanted.

A correction changes nothing by itself: admins review them (`router.reviews`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.http import Http404
from django.utils import timezone

from chatsite.chat import access, notices, turns
from chatsite.chat.admission import expected
from chatsite.chat.models import Turn
from chatsite.chat.refusals import RefusedError
from chatsite.documents import texts
from router.labelled import shortened
from router.models import Correction, Decision, Safeguards
from workers.prompts import one_text

DAY = timedelta(hours=24)


@dataclass(frozen=True)
class Corrected:
    """What became of it: the new answer, and what the person is told."""

    turn: Turn
    text: str = ""


def correct(user: Any, *, reply_id: Any, wanted_route: str) -> Corrected:
    """File that an answer came by the wrong route, and have the message answered by another one.

    What is filed is what the router has read, with the text of files. Where that is nothing, or the person chose the
    route themselves, there is nothing to correct, only another answer to have.
    Raises `RefusedError` or `Http404`.
    """
    turn = access.reply_or_404(user, reply_id)
    decision = _decision_of(turn)
    turns.check_offered(user, wanted_route, turn.conversation_id)
    if wanted_route == decision.route:
        raise RefusedError("same_route")
    to_meet = expected()
    with transaction.atomic():
        is_chosen = decision.strategy == Decision.Strategy.EXPLICIT
        read = one_text(turn.message.text, texts.attached_to(turn.message))
        text = _file(user, shortened(read), decision, wanted_route) if read and not is_chosen else ""
        return Corrected(turns.another(user, turn, wanted_route=wanted_route, to_meet=to_meet), text)


def _decision_of(turn: Turn) -> Decision:
    if turn.answer.is_open:
        raise RefusedError("still_answering")
    if turn.decision is None:
        raise Http404("There is no decision to correct.")
    return turn.decision


def _file(user: Any, text: str, decision: Decision, wanted_route: str) -> str:
    """File a correction, or change the one that waits for its review. What the person is told."""
    # Two tabs at once stay within the cap. No key: what is saved meanwhile refers to this row.
    get_user_model()._default_manager.select_for_update(no_key=True).get(pk=user.pk)
    mine = Correction.objects.filter(user=user)
    waiting = mine.filter(decision=decision, state=Correction.State.PENDING)
    if waiting.update(wanted_route=wanted_route):
        return notices.text("correction_filed")
    if mine.filter(decision=decision).exists():
        return notices.text("correction_reviewed")
    limit = Safeguards.current().corrections_per_day
    if mine.filter(filed_at__gt=timezone.now() - DAY).count() >= limit:
        return notices.text("corrections_used_up", limit=limit)
    Correction.objects.create(
        decision=decision, user=user, text=text, context=decision.context, wanted_route=wanted_route
    )
    return notices.text("correction_filed")
