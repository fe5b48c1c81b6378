"""What a decision's reasons look like to people. None of it decides, so it is found once the message is on its way."""

from __future__ import annotations

from typing import Any

from router.policy import Choice, Embed, Policy, Request
from router.strategies.classifier import DIGITS, similarities

NEIGHBOURS = 3
EXAMPLE_CHARACTERS = 160


def complete(choice: Choice, request: Request, policy: Policy, embed: Embed) -> dict[str, Any]:
    """The evidence of a choice that `policy` made of `request`, with the nearest examples and the words that weighed
    most where the classifier was asked. A pure function, like the decision; calls `embed` at most once.
    """
    if not choice.scores:
        return choice.evidence
    best = max(choice.scores, key=lambda name: choice.scores[name])
    return {
        **choice.evidence,
        "examples": _neighbours(request.text, policy, embed),
        "words": _words(request.text, policy, policy.route(best).role),
    }


def _neighbours(text: str, policy: Policy, embed: Embed) -> list[dict[str, Any]]:
    """The example messages that are nearest, best first, with a similarity of 0 to 1."""
    if not any(anchor.is_quoted for anchor in policy.anchors):
        return []
    pairs = zip(similarities(text, policy, embed).tolist(), policy.anchors, strict=True)
    nearest = sorted((pair for pair in pairs if pair[1].is_quoted), key=lambda pair: -pair[0])[:NEIGHBOURS]
    return [
        {"text": _cut(anchor.text), "route": anchor.route, "similarity": round(min(max(similarity, 0.0), 1.0), DIGITS)}
        for similarity, anchor in nearest
    ]


def _cut(text: str) -> str:
    return text if len(text) <= EXAMPLE_CHARACTERS else text[: EXAMPLE_CHARACTERS - 1] + "…"


def _words(text: str, policy: Policy, role: str) -> list[dict[str, Any]]:
    """The words by which the linear model is led to the role."""
    return [{"text": word, "weight": round(weight, DIGITS)} for word, weight in policy.classifier.words(text, role)]
