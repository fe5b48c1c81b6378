"""Trying a message: which route it would take, live and by the draft, and why, without answering it or keeping it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from celery import shared_task

from router import drafts
from router.artefact import ArtefactError
from router.models import Decision, Revision, Rule
from router.policies import NoLiveRevisionError, live_policy
from router.policy import Choice, Request
from router.revisions import draft_is_published
from router.strategies.explicit import UnknownRouteError
from workers.models import Model
from workers.trials import Trial, attend

if TYPE_CHECKING:
    from router.policy import Policy

logger = logging.getLogger(__name__)
QUEUE = "route"


def start_try(text: str, wanted_route: str, asked_by: Any) -> Trial:
    """Have the light worker decide `text`. Raises `redis.RedisError`."""
    return Trial.start(try_message, QUEUE, asked_by, text=text, wanted_route=wanted_route)


def route_titles() -> dict[str, str]:
    """The titles of all routes, live and of the draft, by name: for admins."""
    live = Revision.objects.filter(is_live=True).values_list("snapshot", flat=True).first() or {}
    routes = [*drafts.snapshot()["routes"], *live.get("routes", [])]
    return {route["name"]: route["title"] for route in routes}


def described(choice: Choice, titles: Mapping[str, str]) -> dict[str, Any]:
    """Everything that a choice rests on, as the page of a choice shows it. `titles` are those of routes, by name."""
    evidence = choice.evidence
    ranked = sorted(choice.scores.items(), key=lambda score: -score[1])
    runner_up = evidence.get("runner_up", "")
    return {
        "route_name": choice.route,
        "route": titles.get(choice.route, choice.route),
        "strategy": choice.strategy,
        "score": choice.score,
        "threshold": choice.threshold,
        "runner_up": titles.get(runner_up, runner_up),
        "margin": evidence.get("margin"),
        "scores": [{"title": titles.get(name, name), "score": score} for name, score in ranked],
        "examples": [
            {**example, "title": titles.get(example["route"], example["route"])}
            for example in evidence.get("examples", [])
        ],
        "words": evidence.get("words", []),
        "rule": _rule(**evidence["rule"]) if "rule" in evidence else "",
    }


@shared_task(name="chat.try_message")
def try_message(ticket: str) -> None:
    """Decide the message of a trial with the live revision, and with the draft where that is another."""
    attend(ticket, _tried, "The message could not be decided", again=try_message)


def _tried(trial: Trial) -> dict[str, Any]:
    return compared(Request(text=trial.input["text"], wanted_route=trial.input["wanted_route"]))


def compared(request: Request) -> dict[str, Any]:
    """What the live revision chooses for a message and what the draft does, and how they differ, in words."""
    choices = _choices(request)
    return {"choices": choices, "difference": _difference(choices)}


def _choices(request: Request) -> list[dict[str, Any]]:
    """What the live revision chooses, and beside it the draft's choice unless the two say the same."""
    live = _choice("Live", request, _live_policy)
    return [live] if draft_is_published() else [live, _choice("Draft", request, _draft_policy)]


def _choice(name: str, request: Request, compiled: Callable[[], Policy]) -> dict[str, Any]:
    """What one policy chooses, or the problem with that."""
    from router import evidence  # numpy and the encoder: only in a worker
    from router.decision import decide_for_anybody
    from workers.encoder import encode

    try:
        policy = compiled()
        began = time.perf_counter()
        choice = decide_for_anybody(request, policy, encode)
        duration_ms = (time.perf_counter() - began) * 1000
    except (UnknownRouteError, NoLiveRevisionError, drafts.InvalidPolicyError, ArtefactError) as error:
        return {"name": name, "problem": str(error)}
    choice = replace(choice, evidence=evidence.complete(choice, request, policy, encode))
    titles = {route.name: route.title for route in policy.routes}
    models = _models(policy.route(choice.route).model_ids)
    facts = {"name": name, "revision": policy.revision, "models": models, "duration_ms": duration_ms}
    return described(choice, titles) | facts


def _live_policy() -> Policy:
    from workers.encoder import encode

    return live_policy(encode)


def _draft_policy() -> Policy:
    """The draft, compiled as it is now. Raises `InvalidPolicyError` or `ArtefactError`."""
    from router.compiling import compile_policy
    from workers.encoder import encode

    content, classifier = drafts.snapshot(), drafts.classifier()
    drafts.check(content)
    try:
        known = live_policy(encode)
    except NoLiveRevisionError:
        known = None
    return compile_policy(content, bytes(classifier.content), encode, known=known)


def _difference(choices: list[dict[str, Any]]) -> str:
    """How the draft's choice differs, in words."""
    if len(choices) < 2:
        return "The draft says the same as what is live."
    if any("problem" in choice for choice in choices):
        return "They cannot be compared."
    live, draft = choices
    if live["route_name"] != draft["route_name"]:
        return f"The draft decides otherwise: {draft['route']} instead of {live['route']}."
    if live["strategy"] != draft["strategy"]:
        by = {choice["name"]: Decision.Strategy(choice["strategy"]).label for choice in choices}
        return f"Both choose {live['route']}, but for another reason: live by {by['Live']}, the draft by {by['Draft']}."
    if live["models"] != draft["models"]:
        return f"Both choose {live['route']}, but other models would answer."
    return f"Both choose {live['route']}."


def _rule(kind: str, value: str) -> str:
    return f"{Rule.Kind(kind).label}: {value}"


def _models(ids: Iterable[int]) -> list[str]:
    """The names of the models that are switched on, in the order in which they would be tried."""
    usable = Model.objects.filter(is_enabled=True, provider__is_enabled=True).in_bulk(ids)
    return [usable[pk].name for pk in ids if pk in usable]
