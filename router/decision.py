"""The decision: which route answers a message. A pure function of the message and a compiled policy."""

from __future__ import annotations

from functools import lru_cache

from router.policy import Choice, Embed, Policy, Request
from router.strategies import classifier, default, explicit, rules
from router.strategies.explicit import UnknownRouteError, message_without_command

__all__ = ["UnknownRouteError", "decide", "decide_for_anybody", "message_without_command", "remembering"]


def decide(request: Request, policy: Policy, embed: Embed) -> Choice:
    """The route for a message: what the person wants, else a rule, else the classifier, else the default.

    No I/O and no state: the same request and policy give the same choice on any process. `embed` is called only
    where the classifier is asked and finds a role of several routes. Raises `UnknownRouteError` if the person names
    a route that does not exist, or that they may not use.
    """
    return decide_for_anybody(request, policy.restricted(request.groups), embed)


def decide_for_anybody(request: Request, policy: Policy, embed: Embed) -> Choice:
    """As `decide`, over all routes: for measuring, where nobody answers."""
    if choice := explicit.choose(request, policy) or rules.choose(request, policy):
        return choice
    ranking = classifier.rank(request, policy, embed)
    return classifier.choose(ranking, policy) or default.choose(ranking, policy)


def remembering(embed: Embed) -> Embed:
    """`embed`, done once where several policies read the same message one after the other."""
    remembered = lru_cache(maxsize=8)(embed)
    return lambda texts: remembered(tuple(texts))
