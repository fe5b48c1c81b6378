"""Why? What a decision rested on and how the answer went, in words and figures."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils.formats import localize
from django.utils.translation import gettext as _

from chatsite.chat.models import Turn
from chatsite.chat.numbers import decimal
from router.models import Decision, Rule

# What people call the routes, by name.
Titles = Mapping[str, str]


@dataclass(frozen=True)
class Score:
    """How well a message fits a route, in per cent."""

    title: str
    percent: int
    text: str
    is_chosen: bool


@dataclass(frozen=True)
class Neighbour:
    """An example message that the decision found close by."""

    text: str
    route: str
    percent: int


@dataclass(frozen=True)
class Why:
    """Everything that a decision rested on, and how the answer went."""

    strategy: str
    scores: list[Score] = field(default_factory=list)
    threshold: int | None = None
    runner_up: str = ""
    margin: int | None = None  # percentage points between the best and the runner-up
    neighbours: list[Neighbour] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    facts: list[tuple[str, str]] = field(default_factory=list)


def explain(turn: Turn, decision: Decision, titles: Titles, hidden: Collection[str] = ()) -> Why:
    """Everything that can be said of a decision; evidence that is not there is left out, and so are `hidden` routes."""
    evidence = decision.evidence
    hidden = set(hidden) - {decision.route}
    ranked = sorted(
        ((name, score) for name, score in decision.scores.items() if name not in hidden), key=lambda score: -score[1]
    )
    runner_up = "" if evidence.get("runner_up") in hidden else evidence.get("runner_up") or ""
    return Why(
        strategy=_strategy(decision, titles, ranked, has_wanted_model=turn.wanted_model_id is not None),
        scores=[
            Score(titles.get(route, route), _percent(score), _share(score), route == decision.route)
            for route, score in ranked
        ],
        threshold=None if decision.threshold is None else _percent(decision.threshold),
        runner_up=titles.get(runner_up, runner_up),
        margin=None if evidence.get("margin") is None or not runner_up else _percent(evidence["margin"]),
        neighbours=[
            Neighbour(
                example.get("text", ""),
                titles.get(example.get("route", ""), example.get("route", "")),
                _percent(example.get("similarity") or 0),
            )
            for example in evidence.get("examples") or []
            if example.get("route") not in hidden
        ],
        words=[word if isinstance(word, str) else word.get("text", "") for word in evidence.get("words") or []],
        facts=_facts(turn, decision),
    )


def _strategy(
    decision: Decision, titles: Titles, ranked: list[tuple[str, float]], *, has_wanted_model: bool = False
) -> str:
    title = titles.get(decision.route, decision.route)
    match decision.strategy:
        case Decision.Strategy.EXPLICIT:
            words = _("You chose {route}, and this model.") if has_wanted_model else _("You chose {route}.")
            return words.format(route=title)
        case Decision.Strategy.RULE:
            rule = _rule(decision.evidence.get("rule") or {})
            return _("A rule sent it to {route}: {rule}.").format(route=title, rule=rule)
        case Decision.Strategy.CLASSIFIER:
            facts = {"route": title, "share": _share(decision.score or 0)}
            if decision.threshold is None:
                return _("It reads like {route}: {share} certain.").format(**facts)
            words = _("It reads like {route}: {share} certain ({threshold} is enough).")
            return words.format(threshold=_share(decision.threshold), **facts)
        case _ if ranked:
            best, score = ranked[0]
            words = _("No route was certain enough (the best, {best}, reached {share}), so {route} answers by default.")
            return words.format(best=titles.get(best, best), share=_share(score), route=title)
    return _("Nothing pointed to another route, so {route} answers by default.").format(route=title)


def _rule(rule: Mapping[str, Any]) -> str:
    kind, value = str(rule.get("kind", "")), rule.get("value", "")
    label = Rule.Kind(kind).label if kind in Rule.Kind.values else kind
    return f"{label[:1].lower()}{label[1:]} {value}".strip()


def _facts(turn: Turn, decision: Decision) -> list[tuple[str, str]]:
    """What can be said in a line each, where it is known. Times count from the moment the message was saved."""
    sent_at, completion = turn.reply.created_at, turn.completion
    facts = [
        (_("Router revision"), str(decision.revision_id)),
        (_("Decided in"), _milliseconds(decision.duration_ms)),
    ]
    if completion is None:
        return facts
    tokens = " + ".join(
        words.format(count=count)
        for count, words in (
            (completion.prompt_tokens, _("{count} read")),
            (completion.completion_tokens, _("{count} written")),
        )
        if count
    )
    facts += [
        (_("Waited"), _between(sent_at, completion.started_at)),
        (_("First words after"), _between(sent_at, completion.first_token_at)),
        (_("Finished after"), _between(sent_at, completion.finished_at)),
        (_("Tokens"), tokens),
        (_("Cost"), _cost(completion.cost)),
        (_("Attempts"), str(completion.attempt) if completion.attempt > 1 else ""),
    ]
    return [(label, value) for label, value in facts if value]


def _percent(share: float) -> int:
    return round(100 * share)


def _share(share: float) -> str:
    """A share in words that do not claim certainty."""
    if 0 < share < 0.005:
        return "< 1 %"
    return "> 99 %" if 0.995 <= share < 1 else f"{_percent(share)} %"


def _between(start: datetime, end: datetime | None) -> str:
    return _milliseconds((end - start) / timedelta(milliseconds=1)) if end else ""


def _milliseconds(duration: float) -> str:
    if duration < 1000:
        return f"{duration:.0f} ms" if duration >= 10 else f"{decimal(max(duration, 0), '.1f')} ms"
    if duration < 60_000:
        return f"{decimal(duration / 1000, '.1f')} s"
    return f"{duration // 60_000:.0f} min {duration % 60_000 / 1000:.0f} s"


def _cost(cost: Decimal) -> str:
    return str(localize(cost.normalize())) if cost else ""
