"""Watching a canary: what became of its answers and the live ones, and taking it back when it is worse.

The reaper on duty has it looked at every few seconds. Two spans are compared each time: everything since the canary
was started, which finds small differences, and the last ten minutes, which find what has just begun to go wrong. The
live answers of the same time are what it is compared with; a canary that everybody gets has none beside it, and is
compared with the newest live answers before it: those of the revision that was live before, where this one is as new.
What `router.comparing` says of the tests holds for both spans
together, as they share what a look may err.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import QuerySet
from django.utils import timezone

from chatsite.chat.models import Turn
from router import comparing
from router.comparing import LEAST_ANSWERS, Comparison, Margins, Sample
from router.models import Correction, Revision, Rollout, Safeguards
from workers.jobs import Job

logger = logging.getLogger(__name__)

NEWEST = 1000  # answers of each revision: more would not say more, and have to be read every few seconds
FORMER = 10  # revisions that are looked at for enough answers, before it is left at too few
RECENT = timedelta(minutes=10)
SPANS = {"start": "Since it was started", "recent": "In the last ten minutes"}

BROKEN = (Job.Status.FAILED, Job.Status.QUARANTINED)


@dataclass(frozen=True)
class Outcome:
    """What became of one message. `seconds` until the answer began, or so far; None if it failed before."""

    began_at: datetime
    status: str
    seconds: float | None
    is_wrong_route: bool = False


@dataclass(frozen=True)
class Observation:
    """The canary's answers and the live ones in one span."""

    canary: Sample
    live: Sample

    def as_data(self) -> dict[str, Any]:
        return {"canary": _summary(self.canary), "live": _summary(self.live)}


def watch(**_: Any) -> None:
    """Look at the canary that runs, if one does. Receives the signal of the reaper on duty."""
    canary = Rollout.running(Rollout.Kind.CANARY)
    if canary:
        look(canary)


def look(rollout: Rollout) -> None:
    """Compare a canary with the live revision, and roll it back if it is worse by more than the margins allow.

    Where nothing has happened since the last look, or too little at all, it does not count as one.
    """
    seen = observe(rollout)
    data = {span: observation.as_data() for span, observation in seen.items()}
    if data == rollout.figures.get("seen"):
        return
    number = rollout.looks + 1
    alpha = comparing.alpha_of_look(number) / len(SPANS)
    margins = current_margins()
    found = {span: comparing.compare(each.canary, each.live, margins, alpha) for span, each in seen.items()}
    if not any(comparison.is_made for comparison in found.values()):
        number = rollout.looks
    tests = {span: asdict(comparison) for span, comparison in found.items()}
    figures = {"at": timezone.now().isoformat(timespec="seconds"), "seen": data, "tests": tests}
    if not Rollout.objects.filter(pk=rollout.pk, ended_at=None).update(looks=number, figures=figures):
        return
    reason = _reason(seen, found)
    if reason and rollout.end(Rollout.Outcome.ROLLED_BACK, None, reason, look=number, **figures):
        logger.warning("%s was rolled back. %s", rollout.revision, reason)


def observe(rollout: Rollout) -> dict[str, Observation]:
    """What became of the answers of a canary and of the live revision, by span."""
    since = rollout.started_at
    live = Revision.objects.filter(is_live=True).values_list("number", flat=True).first()
    undecided = list(_undecided(since))
    canary = [*_decided(rollout.revision_id, since), *(fate for chat, fate in undecided if rollout.takes(chat))]
    beside = [*_decided(live, since), *(fate for chat, fate in undecided if not rollout.takes(chat))]
    if len(beside) < LEAST_ANSWERS:
        beside = list(_decided(live, None))
    if len(beside) < LEAST_ANSWERS:
        beside = _live_before(rollout) or beside
    return {
        "start": Observation(_sample(canary), _sample(beside)),
        "recent": Observation(_sample(_recent(canary)), _sample(_recent(beside, LEAST_ANSWERS))),
    }


def current_margins() -> Margins:
    """What the safeguards allow."""
    safeguards = Safeguards.current()
    return Margins(
        errors=safeguards.canary_error_margin / 100,
        wrong_routes=safeguards.canary_wrong_route_margin / 100,
        latency=safeguards.canary_latency_ratio,
    )


def in_words(measure: str, observation: Observation) -> str:
    """What was seen of one measure, as a sentence."""
    canary, live = observation.canary, observation.live
    if measure == "errors":
        return (
            f"{canary.errors} of {canary.answers} answers failed, "
            f"of the live revision’s {live.errors} of {live.answers}"
        )
    if measure == "wrong_routes":
        return (
            f"people called {canary.wrong_routes} of {canary.decisions} routes wrong, of the live revision’s "
            f"{live.wrong_routes} of {live.decisions}"
        )
    return (
        f"half of the answers took longer than {canary.median_seconds or 0:.1f} s to begin, "
        f"of the live revision’s {live.median_seconds or 0:.1f} s"
    )


def _reason(seen: dict[str, Observation], found: dict[str, Comparison]) -> str:
    """Why it has to be rolled back, or nothing."""
    for span, comparison in found.items():
        if comparison.worse:
            facts = "; ".join(in_words(measure, seen[span]) for measure in comparison.worse)
            return f"{SPANS[span]}, {facts}."
    return ""


class _Facts(NamedTuple):
    """What is read of a turn, and of its completion if it has one."""

    decision: int | None
    conversation: Any
    began_at: datetime
    status: str
    finished_at: datetime | None
    completion_status: str | None
    first_token_at: datetime | None
    completion_finished_at: datetime | None


_COLUMNS = (
    *("decision_id", "conversation_id", "reply__created_at", "status", "finished_at"),
    *("completion__status", "completion__first_token_at", "completion__finished_at"),
)


def _decided(revision: int | None, since: datetime | None) -> Iterator[Outcome]:
    """What became of the newest messages that a revision decided."""
    turns = Turn.objects.filter(decision__revision=revision)
    if since:
        turns = turns.filter(decision__decided_at__gte=since)
    disputed = Correction.objects.filter(decision__revision=revision).exclude(state=Correction.State.REJECTED)
    newest = dict(disputed.order_by("decision").values_list("user", "decision"))  # nobody's word counts more than once
    wrong = set(newest.values())
    for facts in _read(turns.order_by("-decision_id")):
        yield _outcome(facts, facts.decision in wrong)


def _live_before(rollout: Rollout) -> list[Outcome]:
    """What became of the newest messages of the last revision that was live for long enough; nothing if none was."""
    former = Revision.objects.exclude(pk=rollout.revision_id).exclude(went_live_at=None).order_by("-went_live_at")
    for number in former.values_list("number", flat=True)[:FORMER]:
        if len(found := list(_decided(number, None))) >= LEAST_ANSWERS:
            return found
    return []


def _undecided(since: datetime) -> Iterator[tuple[Any, Outcome]]:
    """Messages that no decision came of, with their conversations, which say whose they were."""
    turns = Turn.objects.filter(decision=None, status__in=BROKEN, reply__created_at__gte=since)
    for facts in _read(turns.order_by("-finished_at")):
        yield facts.conversation, _outcome(facts, False)


def _read(turns: QuerySet[Turn]) -> Iterator[_Facts]:
    return map(_Facts._make, turns.values_list(*_COLUMNS)[:NEWEST])


def _outcome(facts: _Facts, is_wrong_route: bool) -> Outcome:
    """An answer that is still waited for, or was until somebody gave up, has taken at least so long."""
    status = facts.completion_status or facts.status
    until = facts.first_token_at
    if until is None and status not in BROKEN:
        ended_at = facts.completion_finished_at if facts.completion_status else facts.finished_at
        until = ended_at or timezone.now()
    seconds = max((until - facts.began_at).total_seconds(), 0.0) if until else None
    return Outcome(facts.began_at, status, seconds, is_wrong_route)


def _recent(outcomes: list[Outcome], least: int = 0) -> list[Outcome]:
    """Those of the last minutes; all if those are fewer than `least`."""
    since = timezone.now() - RECENT
    recent = [outcome for outcome in outcomes if outcome.began_at >= since]
    return recent if len(recent) >= least else outcomes


def _sample(outcomes: Iterable[Outcome]) -> Sample:
    known = list(outcomes)
    ended = [outcome for outcome in known if outcome.status in (Job.Status.DONE, *BROKEN)]
    return Sample(
        answers=len(ended),
        errors=sum(outcome.status in BROKEN for outcome in ended),
        decisions=len(known),
        wrong_routes=sum(outcome.is_wrong_route for outcome in known),
        seconds=[outcome.seconds for outcome in known if outcome.seconds is not None],
    )


def _summary(sample: Sample) -> dict[str, Any]:
    """What a rollout keeps of a sample."""
    return {
        "answers": sample.answers,
        "errors": sample.errors,
        "decisions": sample.decisions,
        "wrong_routes": sample.wrong_routes,
        "median_seconds": sample.median_seconds,
    }
