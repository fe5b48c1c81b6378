"""The third strategy: the fitted classifier tells the role, example messages tell the route within it.

A route's score is the probability of its role times its share of that role. A role with one route gives it all;
several share by the similarity of the message to the examples and the description of each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from router.features import excerpt
from router.policy import Choice, Embed, Policy, Request, RouteSpec

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

# Chosen by likelihood with a dozen examples a route: routes by subject want 0.05, routes that hardly differ 0.15.
# With this one, a cosine that is 0.05 higher makes a route twice as likely.
TEMPERATURE = 0.07
NEIGHBOURS = 3
EXAMPLE_CHARACTERS = 160
DIGITS = 4  # the scores that people see are exactly those that were compared


@dataclass(frozen=True)
class Ranking:
    """Every route's score, and what the scores rest on."""

    best: str
    scores: dict[str, float]
    evidence: dict[str, Any]


def rank(request: Request, policy: Policy, embed: Embed) -> Ranking:
    """Score every route of the policy. Calls `embed` once, with one bounded text."""
    roles = policy.classifier.probabilities(request.text, request.context)
    similarities = _similarities(request.text, policy, embed)
    scores = _scores(roles, similarities, policy)
    best, *others = sorted(scores, key=lambda name: -scores[name])  # stable: the admin's order breaks ties
    evidence: dict[str, Any] = {
        "roles": {role: round(probability, DIGITS) for role, probability in roles.items()},
        "examples": _neighbours(similarities, policy),
        "words": _words(request, policy, policy.route(best).role),
    }
    if others:
        evidence["runner_up"] = others[0]
        evidence["margin"] = round(scores[best] - scores[others[0]], DIGITS)
    return Ranking(best, scores, evidence)


def choose(ranking: Ranking, policy: Policy) -> Choice | None:
    """The route with the best score, if that reaches the route's threshold."""
    route, score = policy.route(ranking.best), ranking.scores[ranking.best]
    if score < route.threshold:
        return None
    return Choice(
        route.name,
        route.role,
        "classifier",
        score=score,
        threshold=route.threshold,
        scores=ranking.scores,
        evidence=ranking.evidence,
    )


def _similarities(text: str, policy: Policy, embed: Embed) -> npt.NDArray[np.float32]:
    """The cosine of the message to each anchor of the policy."""
    similarities: npt.NDArray[np.float32] = policy.anchor_vectors @ embed([excerpt(text)])[0]
    return similarities


def _scores(roles: dict[str, float], similarities: npt.NDArray[np.float32], policy: Policy) -> dict[str, float]:
    scores = {}
    for role, probability in roles.items():
        routes = [route for route in policy.routes if route.role == role]
        for route, share in zip(routes, _shares(routes, similarities, policy), strict=True):
            scores[route.name] = round(probability * share, DIGITS)
    return {route.name: scores[route.name] for route in policy.routes}


def _shares(routes: list[RouteSpec], similarities: npt.NDArray[np.float32], policy: Policy) -> list[float]:
    """How the routes of one role share its probability: a softmax over the best similarity of each."""
    if len(routes) < 2:
        return [1.0] * len(routes)
    best = {route.name: -1.0 for route in routes}
    for anchor, similarity in zip(policy.anchors, similarities, strict=True):
        if anchor.route in best:
            best[anchor.route] = max(best[anchor.route], float(similarity))
    top = max(best.values())
    weights = [math.exp((best[route.name] - top) / TEMPERATURE) for route in routes]
    return [weight / sum(weights) for weight in weights]


def _neighbours(similarities: npt.NDArray[np.float32], policy: Policy) -> list[dict[str, Any]]:
    """The example messages that are nearest, best first, with a similarity of 0 to 1."""
    examples = [
        (float(similarity), anchor)
        for anchor, similarity in zip(policy.anchors, similarities, strict=True)
        if anchor.is_example
    ]
    nearest = sorted(examples, key=lambda pair: -pair[0])[:NEIGHBOURS]
    return [
        {"text": _cut(anchor.text), "route": anchor.route, "similarity": round(min(max(similarity, 0.0), 1.0), DIGITS)}
        for similarity, anchor in nearest
    ]


def _cut(text: str) -> str:
    return text if len(text) <= EXAMPLE_CHARACTERS else text[: EXAMPLE_CHARACTERS - 1] + "…"


def _words(request: Request, policy: Policy, role: str) -> list[dict[str, Any]]:
    return [
        {"text": word, "weight": round(weight, DIGITS)} for word, weight in policy.classifier.words(request.text, role)
    ]
