"""What the gate found, and what a message was decided on, as lines for the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from router.models import Decision

if TYPE_CHECKING:
    from router.gate import Judged, Verdict

SHOWN_CASES = 20
SHOWN_TEXT = 120
NOWHERE = "nowhere"


def described(choice: dict[str, Any]) -> str:
    """What was chosen and why; `choice` is that of `chatsite.chat.trials`."""
    if "problem" in choice:
        return f"{choice['name']}: {choice['problem']}"
    text = f"{choice['name']}: {choice['route']}, by {Decision.Strategy(choice['strategy']).label}"
    if choice["rule"]:
        text += f" ({choice['rule']})"
    scores = ", ".join(f"{score['title']} {score['score']:.3f}" for score in choice["scores"])
    words = ", ".join(word["text"] for word in choice["words"])
    near = "; ".join(f"“{each['text']}” ({each['title']}, {each['similarity']:.2f})" for each in choice["examples"])
    facts = {"scores": scores, "threshold": choice["threshold"], "words": words, "nearest examples": near}
    return "\n  ".join([text, *(f"{name}: {fact}" for name, fact in facts.items() if fact)])


def flips(verdict: Verdict) -> list[str]:
    """What the draft decides otherwise, for the worse first."""
    if not verdict.flips:
        return []
    better, worse = len(verdict.mended), len(verdict.failing)
    head = f"Decided otherwise: {len(verdict.flips)}; {better} for the better, {worse} for the worse."
    shown = [f"  {each.route}: {each.live or NOWHERE} -> {_judged(each)}" for each in verdict.flips[:SHOWN_CASES]]
    return [head, *shown, *_more(verdict.flips)]


def mistakes(verdict: Verdict) -> list[str]:
    """What the draft gets wrong, the surest first."""
    if not verdict.mistakes:
        return []
    shown = [f"  {each.route} -> {_judged(each)}" for each in verdict.mistakes[:SHOWN_CASES]]
    return [f"Mistakes: {len(verdict.mistakes)}, the surest first.", *shown, *_more(verdict.mistakes)]


def _judged(case: Judged) -> str:
    score = "by a rule" if case.score is None else f"{case.score:.3f}"
    return f"{case.draft or NOWHERE}: {' '.join(case.text.split())[:SHOWN_TEXT]} ({score})"


def _more(cases: Sequence[Judged]) -> list[str]:
    return [f"  and {len(cases) - SHOWN_CASES} more"] if len(cases) > SHOWN_CASES else []


def matrix(confusion: Mapping[str, Mapping[str, int]]) -> list[str]:
    """A row for each right route, a column for each that was taken."""
    width = max((len(name or NOWHERE) for name in confusion), default=0)
    rows = [
        f"  {name:{width}} " + " ".join(f"{taken[other]:{max(len(other or NOWHERE), 4)}}" for other in confusion)
        for name, taken in confusion.items()
        if any(taken.values())
    ]
    head = f"  {'':{width}} " + " ".join(f"{other or NOWHERE:>4}" for other in confusion)
    return ["Right routes down, taken ones across:", head, *rows] if rows else []
