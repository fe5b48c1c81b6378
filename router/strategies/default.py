"""The last strategy: no route was certain enough, so the default route answers."""

from __future__ import annotations

from router.policy import Choice, Policy
from router.strategies.classifier import Ranking


def choose(ranking: Ranking, policy: Policy) -> Choice:
    """The default route, with the scores that were too low."""
    default, best = policy.default_route, policy.route(ranking.best)
    return Choice(
        default.name,
        default.role,
        "default",
        score=ranking.scores[best.name],
        threshold=best.threshold,
        scores=ranking.scores,
        evidence=ranking.evidence,
    )
