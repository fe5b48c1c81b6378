"""A second answer beside the first, by another route or by another model of the same route, to be compared with it.

Which routes and models there are for a person is said by the policy (`chatsite.chat.access`), here as everywhere.
"""

from __future__ import annotations

from typing import Any

from django.http import Http404

from chatsite.chat import access, branches, turns
from chatsite.chat.models import Turn
from chatsite.chat.refusals import RefusedError


def compare(user: Any, *, reply_id: Any, wanted_route: str = "", wanted_model: str = "") -> Turn:
    """Have a message answered beside an answer: by a route, or by the model of its own route with this number.

    All tabs of the person are told. Raises `RefusedError`, `BusyError` or `Http404`.
    """
    turn = access.reply_or_404(user, reply_id)
    if turn.answer.is_open:
        raise RefusedError("still_answering")
    if turn.decision is None:
        raise Http404("There is nothing to compare with.")
    route, model = turns.model_beside(user, turn, wanted_model) if wanted_model else (wanted_route, None)
    if not route:
        raise RefusedError("bad_frame")
    new = turns.another(user, turn, wanted_route=route, wanted_model=model, is_compared=True)
    branches.tell(turn.conversation)
    return new
