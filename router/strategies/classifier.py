"""The third strategy: the fitted classifier tells the role, example messages tell the route within it.

A route's score is the probability of its role times its share of that role. A role with one route gives it all;
several share by the similarity of the message to the examples and the description of each. That takes an embedding,
so it is asked only where it can decide: where the likeliest role that has a route has several. Elsewhere the routes
of one role share evenly, as none of them can win.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
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
DIGITS = 4  # the scores that people see are exactly those that were compared


@dataclass(frozen=True)
class Ranking:
    """Every route's score, and what the scores rest on."""

    best: str
    scores: dict[str, float]
    evidence: dict[str, Any]


def rank(request: Request, policy: Policy, embed: Embed) -> Ranking:
    """Score every route of the policy. Calls `embed` at most once, with one bounded text."""
    told = policy.classifier.tell(request.text, request.context)
    scores = _scores(told.probabilities, request.text, policy, embed)
    best, *others = sorted(scores, key=lambda name: -scores[name])  # stable: the admin's order breaks ties
    evidence: dict[str, Any] = {
        "roles": {role: round(probability, DIGITS) for role, probability in told.probabilities.items()},
        "told_by": told.by,
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


def similarities(text: str, policy: Policy, embed: Embed) -> npt.NDArray[np.float32]:
    """The cosine of the message to each anchor of the policy."""
    cosines: npt.NDArray[np.float32] = policy.anchor_vectors @ embed([excerpt(text)])[0]
    return cosines


def _scores(roles: dict[str, float], text: str, policy: Policy, embed: Embed) -> dict[str, float]:
    routes: dict[str, list[RouteSpec]] = defaultdict(list)
    for route in policy.routes:
        routes[route.role].append(route)
    likeliest = max(routes, key=lambda role: roles[role])
    cosines = similarities(text, policy, embed) if len(routes[likeliest]) > 1 else None
    scores = {
        route.name: round(roles[role] * share, DIGITS)
        for role, of_role in routes.items()
        for route, share in zip(of_role, _shares(of_role, cosines, policy), strict=True)
    }
    return {route.name: scores[route.name] for route in policy.routes}


def _shares(routes: Sequence[RouteSpec], cosines: npt.NDArray[np.float32] | None, policy: Policy) -> list[float]:
    """How the routes of one role share its probability: a softmax over the best similarity of each."""
    if cosines is None or len(routes) == 1:
        return [1 / len(routes)] * len(routes)
    best = {route.name: -1.0 for route in routes}
    for anchor, cosine in zip(policy.anchors, cosines, strict=True):
        if anchor.route in best:
            best[anchor.route] = max(best[anchor.route], float(cosine))
    top = max(best.values())
    weights = [math.exp((best[route.name] - top) / TEMPERATURE) for route in routes]
    return [weight / sum(weights) for weight in weights]
