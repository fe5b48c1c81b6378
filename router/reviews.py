"""What reviewers do with corrections: accept them, on the wanted route or another one, reject them, take that back.

An accepted correction is in the labelled set, and the next refit learns it. A rejected one changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from router import drafts
from router.models import AuditEntry, Correction, LabelledMessage
from router.models.labelled import fingerprint

State = Correction.State

PERMISSION = "router.change_correction"
BACKEND = "django.contrib.auth.backends.ModelBackend"


@dataclass
class Review:
    """What came of reviewing several corrections at once."""

    done: list[Correction] = field(default_factory=list)
    own: list[Correction] = field(default_factory=list)  # not accepted: the reviewer filed them
    contradicting: list[tuple[Correction, str]] = field(default_factory=list)  # not accepted: labelled otherwise


@transaction.atomic
def accept(corrections: Iterable[Correction], reviewer: Any, route: str = "") -> Review:
    """Accept corrections on the route that each person wanted, or all on `route`, and label their messages.

    Nobody accepts their own correction, unless nobody else could. What contradicts the labelled set, or a correction
    that was accepted before, is left as it is: only people can tell which of the two is right.
    """
    review = Review()
    is_alone = not others_could_review(reviewer)
    found = _locked(corrections)
    accepted = _accepted(found)
    for correction in found:
        right = route or correction.wanted_route
        if correction.user_id == reviewer.pk and not is_alone:
            review.own.append(correction)
            continue
        if known := _labelled_otherwise(correction, right, accepted):
            review.contradicting.append((correction, known))
            continue
        _own_label(correction, accepted).delete()
        _label(correction, right, reviewer)
        _set(correction, State.ACCEPTED, reviewer, accepted, right)
        review.done.append(correction)
    _audit(reviewer, f"Accepted {_number(review.done)}{f' on the route {route}' if route else ''}.", review.done)
    return review


@transaction.atomic
def reject(corrections: Iterable[Correction], reviewer: Any) -> Review:
    """Reject corrections. What was accepted leaves the labelled set."""
    review = Review()
    found = _locked(corrections)
    accepted = _accepted(found)
    for correction in found:
        _own_label(correction, accepted).delete()
        _set(correction, State.REJECTED, reviewer, accepted)
        review.done.append(correction)
    _audit(reviewer, f"Rejected {_number(review.done)}.", review.done)
    return review


@transaction.atomic
def reopen(corrections: Iterable[Correction], reviewer: Any) -> Review:
    """Take a review back. What was accepted leaves the labelled set."""
    review = Review()
    found = _locked(corrections)
    accepted = _accepted(found)
    for correction in found:
        if correction.state != State.PENDING:
            _own_label(correction, accepted).delete()
            _set(correction, State.PENDING, None, accepted)
            review.done.append(correction)
    _audit(reviewer, f"Took back the review of {_number(review.done)}.", review.done)
    return review


def others_could_review(reviewer: Any) -> bool:
    """Whether anybody else may accept corrections."""
    allowed = get_user_model()._default_manager.with_perm(PERMISSION, backend=BACKEND)
    return bool(allowed.filter(is_staff=True).exclude(pk=reviewer.pk).exists())


def _locked(corrections: Iterable[Correction]) -> list[Correction]:
    """Oldest first, so that of two that contradict each other the first one holds, also of two in different reviews:
    one review ends before the next begins.
    """
    drafts.lock()
    found = Correction.objects.select_for_update().filter(pk__in=[correction.pk for correction in corrections])
    return list(found.order_by("filed_at"))


def _accepted(corrections: Sequence[Correction]) -> Counter[str]:
    """How many accepted corrections there are of each message; not counted where none of these is accepted."""
    if all(correction.state != State.ACCEPTED for correction in corrections):
        return Counter()
    rows = Correction.objects.filter(state=State.ACCEPTED).values_list("text", "context")
    return Counter(fingerprint(*row) for row in rows.iterator())


def _set(correction: Correction, state: str, reviewer: Any, accepted: Counter[str], route: str = "") -> None:
    accepted[_mark(correction)] += (state == State.ACCEPTED) - (correction.state == State.ACCEPTED)
    correction.state, correction.route, correction.reviewer = state, route, reviewer
    correction.reviewed_at = None if state == State.PENDING else timezone.now()
    correction.save(update_fields=["state", "route", "reviewer", "reviewed_at"])


def _label(correction: Correction, route: str, reviewer: Any) -> None:
    LabelledMessage.objects.get_or_create(
        fingerprint=_mark(correction),
        defaults={
            "text": correction.text,
            "context": correction.context,
            "route": route,
            "source": LabelledMessage.Source.CORRECTION,
            "added_by": reviewer,
        },
    )


def _labelled_otherwise(correction: Correction, route: str, accepted: Counter[str]) -> str:
    """The other route that the labelled set has the message on, whatever becomes of this correction; or nothing."""
    others = LabelledMessage.objects.filter(fingerprint=_mark(correction)).exclude(route=route)
    return others.exclude(pk__in=_own_label(correction, accepted)).values_list("route", flat=True).first() or ""


def _own_label(correction: Correction, accepted: Counter[str]) -> QuerySet[LabelledMessage]:
    """The labelled message that is there for this correction alone."""
    if correction.state != State.ACCEPTED or accepted[_mark(correction)] > 1:
        return LabelledMessage.objects.none()
    return LabelledMessage.objects.filter(fingerprint=_mark(correction), source=LabelledMessage.Source.CORRECTION)


def _mark(correction: Correction) -> str:
    return fingerprint(correction.text, correction.context)


def _audit(reviewer: Any, text: str, done: list[Correction]) -> None:
    if done:
        AuditEntry.write(
            reviewer, AuditEntry.Action.CORRECTIONS, text, corrections=[correction.pk for correction in done]
        )


def _number(done: list[Correction]) -> str:
    return f"{len(done)} correction{'' if len(done) == 1 else 's'}"
