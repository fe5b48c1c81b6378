"""`python -m tests.chat.rederive`: a process of its own derives every stored decision again.

Prints what it found as JSON: how many decisions there are, and those that came out otherwise.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import django

django.setup()

from chatsite.chat.answering import stored_request  # noqa: E402  (needs the settings)
from chatsite.chat.models import Turn  # noqa: E402
from router.decision import decide  # noqa: E402
from router.models import Revision  # noqa: E402
from router.policies import policy_of  # noqa: E402
from router.policy import Policy  # noqa: E402
from workers.encoder import encode  # noqa: E402

FACTS = ("route", "role", "strategy", "score", "threshold", "scores", "evidence")


@cache
def policy(number: int) -> Policy:
    return policy_of(Revision.objects.get(number=number), encode)


def difference(turn: Turn) -> dict[str, Any]:
    """The facts of a decision that come out otherwise: stored, and derived again."""
    decision = turn.decision
    assert decision is not None
    again = decide(stored_request(turn, decision), policy(decision.revision_id), encode)
    pairs = {fact: (getattr(decision, fact), getattr(again, fact)) for fact in FACTS}
    return {fact: pair for fact, pair in pairs.items() if pair[0] != pair[1]}


def main() -> None:
    turns = Turn.objects.exclude(decision=None).select_related("message", "decision")
    found = [difference(turn) for turn in turns]
    print(json.dumps({"count": len(found), "different": [each for each in found if each]}))


main()
