"""How a rollout is doing, in words and figures for its page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, F, QuerySet

from chatsite.routing import watching
from router.comparing import LEAST_ANSWERS, Margins
from router.models import Decision, Rollout

SHOWN_MESSAGES = 100
NO_SIGN = 0.2  # a p-value above it is nothing to mention


@dataclass(frozen=True)
class Measure:
    """One thing that a canary is measured by, beside the live revision."""

    title: str
    canary: str
    live: str
    allowed: str
    verdict: str


@dataclass(frozen=True)
class Span:
    """All measures over one time."""

    title: str
    measures: list[Measure]


@dataclass(frozen=True)
class Flip:
    """A pair of routes: what answered, what the shadow would have taken, and how often."""

    live: str
    shadow: str
    count: int


@dataclass(frozen=True)
class Flips:
    """How often a shadow decided otherwise."""

    decisions: int
    flips: list[Flip]

    @property
    def count(self) -> int:
        return sum(flip.count for flip in self.flips)


def spans(rollout: Rollout) -> list[Span]:
    """What is seen of a canary's answers and the live ones now, or was when it ended, with the last look's verdicts."""
    if rollout.ended_at:
        seen = rollout.figures.get("seen", {})
    else:
        seen = {span: observation.as_data() for span, observation in watching.observe(rollout).items()}
    if seen.get("recent") == seen.get("start"):  # it is younger than ten minutes
        seen.pop("recent", None)
    tests, margins = rollout.figures.get("tests", {}), watching.current_margins()
    return [
        Span(title, _measures(seen[span], tests.get(span), margins))
        for span, title in watching.SPANS.items()
        if span in seen
    ]


def last_look(rollout: Rollout) -> datetime | None:
    """When a canary was last compared with the live revision."""
    at = rollout.figures.get("at")
    return datetime.fromisoformat(at) if at else None


def flips(rollout: Rollout) -> Flips:
    """How often a shadow chose another route than the one that answered."""
    pairs = _flipped(rollout).values_list("shadow_of__route", "route")
    counted = pairs.annotate(count=Count("id")).order_by("-count", "shadow_of__route", "route")
    return Flips(_shadow_decisions(rollout).count(), [Flip(*row) for row in counted])


def flipped_messages(rollout: Rollout) -> list[Decision]:
    """The newest decisions in which a shadow chose another route; `shadow_of.turn.message` is what people wrote."""
    return list(_flipped(rollout).select_related("shadow_of__turn__message").order_by("-id")[:SHOWN_MESSAGES])


def _flipped(rollout: Rollout) -> QuerySet[Decision]:
    return _shadow_decisions(rollout).exclude(route=F("shadow_of__route"))


def _shadow_decisions(rollout: Rollout) -> QuerySet[Decision]:
    decisions = Decision.objects.filter(
        revision=rollout.revision_id, shadow_of__isnull=False, decided_at__gte=rollout.started_at
    )
    return decisions.filter(decided_at__lte=rollout.ended_at) if rollout.ended_at else decisions


def _measures(seen: dict[str, Any], tests: dict[str, Any] | None, margins: Margins) -> list[Measure]:
    canary, live = seen["canary"], seen["live"]
    rows = (
        ("errors", "Failed answers", _share("errors", "answers"), _points(margins.errors)),
        ("latency", "Until an answer begins (median)", _seconds, f"{margins.latency:g} times as long"),
        ("wrong_routes", "Routes called wrong", _share("wrong_routes", "decisions"), _points(margins.wrong_routes)),
    )
    return [
        Measure(title, words(canary), words(live), allowed, _verdict(measure, tests))
        for measure, title, words, allowed in rows
    ]


def _verdict(measure: str, tests: dict[str, Any] | None) -> str:
    if tests is None:
        return "Not looked at yet."
    p_value, limit = tests[measure], tests["limit"]
    if p_value is None:
        return f"Too few answers to tell: {LEAST_ANSWERS} of each are needed."
    if p_value < limit:
        return f"Worse, surely enough (p = {p_value:.2g})."
    if p_value > NO_SIGN:
        return "No sign that it is worse by more than that."
    return f"Perhaps worse, not surely enough (p = {p_value:.2g}, below {limit:.2g} it is taken back)."


def _share(part: str, whole: str) -> Any:
    def words(summary: dict[str, Any]) -> str:
        if not summary[whole]:
            return "none yet"
        return f"{summary[part]} of {summary[whole]} ({100 * summary[part] / summary[whole]:.1f} %)"

    return words


def _seconds(summary: dict[str, Any]) -> str:
    seconds = summary["median_seconds"]
    return "none yet" if seconds is None else f"{seconds:.1f} s"


def _points(share: float) -> str:
    return f"{100 * share:g} percentage points more"
