"""Access is part of the policy: what a person may not use cannot come out, whatever leads there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.compiling import compile_policy
from router.decision import UnknownRouteError, decide
from router.policy import Policy, Request
from tests.router.conftest import TEXTS, embed, route, rule

GROUPS = st.frozensets(st.integers(1, 4))
# Named otherwise than their roles, which the evidence of a decision has in it.
NAMES = ("digest", "labels", "generate", "legal", "snippets", "brief")
ROLES = dict(zip(NAMES, ("summarise", "classify", "generate", "generate", "generate", "summarise"), strict=True))
MESSAGES = [text for texts in TEXTS.values() for text in texts] + ["/legal may I?", "/brief this", "contract rain", ""]


@st.composite
def snapshots(draw: Any) -> dict[str, Any]:
    """Routes with random groups, models, rules and thresholds; models with random groups."""
    routes = [
        route(
            name,
            ROLES[name],
            threshold=draw(st.sampled_from([0.0, 0.4, 0.9])),
            groups=sorted(draw(GROUPS)) if name != "generate" else [],
            models=draw(st.lists(st.integers(1, 6), unique=True, max_size=3)),
            rules=draw(st.sampled_from([[], [rule("rain")], [rule("contract")]])),
            examples=[f"an example of {name}"],
        )
        for name in NAMES
    ]
    limited = draw(st.dictionaries(st.integers(1, 6), GROUPS.filter(bool), max_size=6))
    return {"routes": routes, "model_groups": {str(pk): sorted(groups) for pk, groups in limited.items()}}


def named_in(value: Any) -> set[str]:
    """Every text anywhere in a choice."""
    if isinstance(value, dict):
        return {name for pair in value.items() for part in pair for name in named_in(part)}
    if isinstance(value, (list, tuple)):
        return {name for part in value for name in named_in(part)}
    return {value} if isinstance(value, str) else set()


def forbidden(snapshot: dict[str, Any], groups: frozenset[int]) -> tuple[set[str], set[int]]:
    """The routes and models that somebody in these groups may not use, said without the code that is tested."""
    limits = {int(pk): set(allowed) for pk, allowed in snapshot["model_groups"].items()}
    models = {pk for pk, allowed in limits.items() if not allowed & groups}
    routes = {
        each["name"]
        for each in snapshot["routes"]
        if each["name"] != "generate"
        and (
            (each["groups"] and not set(each["groups"]) & groups) or (each["models"] and set(each["models"]) <= models)
        )
    }
    return routes, models


@settings(max_examples=300, deadline=None)
@given(
    snapshot=snapshots(),
    groups=GROUPS,
    message=st.sampled_from(MESSAGES),
    wanted=st.sampled_from(["", *NAMES]),
)
def test_no_route_or_model_comes_out_or_is_named_that_the_person_may_not_use(
    artefact: bytes, snapshot: dict[str, Any], groups: frozenset[int], message: str, wanted: str
) -> None:
    policy = compile_policy(snapshot, artefact, embed)
    routes, models = forbidden(snapshot, groups)
    request = Request(message, wanted, groups=groups)
    command = message[1:].split()[0] if message.startswith("/") else ""
    if (wanted or command) in routes:
        with pytest.raises(UnknownRouteError) as refused:
            decide(request, policy, embed)
        assert not routes & set(refused.value.names)
        return
    choice = decide(request, policy, embed)
    assert choice.route not in routes
    assert not routes & (named_in(choice.scores) | named_in(choice.evidence))
    assert not models & set(policy.restricted(groups).route(choice.route).model_ids)


def test_a_route_that_scores_best_is_not_even_scored_for_those_who_may_not_use_it(
    policy: Callable[..., Policy],
) -> None:
    routes = (route("summarise", groups=[7]), route("classify"), route("generate"))
    text = TEXTS["summarise"][0]
    assert decide(Request(text, groups=frozenset({7})), policy(*routes), embed).route == "summarise"
    choice = decide(Request(text), policy(*routes), embed)
    assert choice.route != "summarise"
    assert "summarise" not in choice.scores


def test_who_may_use_nothing_special_still_has_the_default_route(policy: Callable[..., Policy]) -> None:
    routes = (route("summarise", groups=[7]), route("generate", models=[1]))
    compiled = policy(*routes)
    compiled.model_groups[1] = frozenset({7})  # type: ignore[index]
    mine = compiled.restricted(frozenset())
    assert [(each.name, each.model_ids) for each in mine.routes] == [("generate", ())]
