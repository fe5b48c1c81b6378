"""Trying a message: which route it would take now, and why, without answering it or keeping it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from typing import Any

from celery import shared_task

from chatsite.chat.turns import route_names
from router.models import Rule
from router.policy import Request
from router.revisions import NoLiveRevisionError, live_policy
from router.strategies.explicit import UnknownRouteError
from workers.models import Model
from workers.trials import Trial

logger = logging.getLogger(__name__)
QUEUE = "route"


def start_try(text: str, wanted_route: str, asked_by: Any) -> Trial:
    """Have the light worker decide `text`. Raises `redis.RedisError`."""
    return Trial.start(try_message, QUEUE, asked_by, text=text, wanted_route=wanted_route)


@shared_task(name="chat.try_message")
def try_message(ticket: str) -> None:
    """Decide the message of a trial with the live revision."""
    trial = Trial.find(ticket)
    if trial is None:
        return
    trial.begin()
    try:
        trial.finish(**_decide(trial.input["text"], trial.input["wanted_route"]))
    except (UnknownRouteError, NoLiveRevisionError) as error:
        trial.fail(str(error))
    except Exception as error:
        logger.exception("Trying a message failed.")
        trial.fail(f"The message could not be decided ({type(error).__name__}). The log of the worker says more.")


def _decide(text: str, wanted_route: str) -> dict[str, Any]:
    from router import evidence  # numpy and the encoder: only in a worker
    from router.decision import decide
    from workers.encoder import encode

    policy = live_policy(encode)
    began = time.perf_counter()
    request = Request(text=text, wanted_route=wanted_route)
    choice = decide(request, policy, encode)
    duration_ms = (time.perf_counter() - began) * 1000
    reasons = evidence.complete(choice, request, policy, encode)
    titles = route_names()
    ranked = sorted(choice.scores.items(), key=lambda score: -score[1])
    return {
        "revision": policy.revision,
        "route": titles.get(choice.route, choice.route),
        "strategy": choice.strategy,
        "score": choice.score,
        "threshold": choice.threshold,
        "scores": [{"title": titles.get(name, name), "score": score} for name, score in ranked],
        "examples": [
            {**example, "title": titles.get(example["route"], example["route"])}
            for example in reasons.get("examples", [])
        ],
        "words": reasons.get("words", []),
        "rule": _rule(**reasons["rule"]) if "rule" in reasons else "",
        "models": _models(policy.route(choice.route).model_ids),
        "duration_ms": duration_ms,
    }


def _rule(kind: str, value: str) -> str:
    return f"{Rule.Kind(kind).label}: {value}"


def _models(ids: Iterable[int]) -> list[str]:
    """The names of the models that are switched on, in the order in which they would be tried."""
    usable = Model.objects.filter(is_enabled=True, provider__is_enabled=True).in_bulk(ids)
    return [usable[pk].name for pk in ids if pk in usable]
