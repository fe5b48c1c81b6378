"""Checking the draft on the labelled set, and publishing it if it passes: one task, so that nothing slips between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from celery import shared_task
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db import transaction

from chatsite.routing.queue import BACKGROUND
from router import drafts, revisions
from router.artefact import ArtefactError
from router.labelled import Case
from router.models import AuditEntry, Classifier, LabelledMessage, Revision, Safeguards
from workers.trials import Trial, attend

if TYPE_CHECKING:
    from router.gate import Verdict
    from router.policy import Policy

OVERRIDE_PERMISSION = "router.publish_past_gate"


def start_check(asked_by: Any, note: str = "") -> Trial:
    """Have the draft measured beside the live revision. `note` is kept for its publication.

    Raises `redis.RedisError`, or as `draft_fingerprint`.
    """
    return Trial.start(check_draft, BACKGROUND, asked_by, fingerprint=draft_fingerprint(), publish=False, note=note)


def start_publication(asked_by: Any, note: str, fingerprint: str) -> Trial:
    """Have the draft of that fingerprint measured, and published if it passes. Raises `redis.RedisError`."""
    return Trial.start(check_draft, BACKGROUND, asked_by, fingerprint=fingerprint, publish=True, note=note)


def draft_fingerprint() -> str:
    """The fingerprint of the draft as it is now. Raises `InvalidPolicyError` if it has no classifier."""
    drafts.classifier()
    return drafts.current_fingerprint()


@transaction.atomic
def publish_past_gate(author: Any, note: str, fingerprint: str) -> Revision:
    """Publish without the check, or against it; the audit log says so. Raises as `router.revisions.publish`."""
    revision = revisions.publish(author, note, expected=fingerprint, evaluation={"passes": False, "skipped": True})
    AuditEntry.write(
        author, AuditEntry.Action.OVERRIDE, f"{revision} went past the gate: {note}", revision=revision.number
    )
    return revision


@transaction.atomic
def publish_measured(
    author: Any, note: str, fingerprint: str, verdict: Verdict, beside: Revision | None, **facts: Any
) -> Revision:
    """Publish a draft that passed beside what was live then; the audit log says how, and on what if `facts` tell.

    Whatever margin it passed with: with that of the safeguards it has to, or it went past the gate.
    Raises `router.revisions.LiveChangedError`, or as `router.revisions.publish`.
    """
    revisions.check_still_live(beside)
    revision = revisions.publish(author, note, expected=fingerprint, evaluation=verdict.summary() | facts)
    margin = Safeguards.current().gate_margin
    if not replace(verdict, margin=margin).passes:
        text = f"{revision} went past the gate: it passed with a margin of {verdict.margin:g} instead of {margin:g}."
        AuditEntry.write(author, AuditEntry.Action.OVERRIDE, text, revision=revision.number)
    return revision


@shared_task(name="routing.check_draft")
def check_draft(ticket: str) -> None:
    """Measure the draft of a trial, and publish it if that was asked for and it passes."""
    refusals = (drafts.InvalidPolicyError, drafts.DraftChangedError, revisions.LiveChangedError, PermissionDenied)
    attend(ticket, _check, "The draft could not be checked", (*refusals, ArtefactError))


def measure(
    content: drafts.Snapshot,
    classifier: Classifier,
    beside: Policy | None,
    cases: Sequence[Case],
    margin: float,
    advance: Callable[[int, int], None],
) -> Verdict:
    """Have routes decide labelled messages, beside a policy if there is one. Only where models may be loaded."""
    from router.gate import judge
    from workers.encoder import encode

    return judge(cases, compiled(content, classifier, beside), beside, encode, margin, advance)


def compiled(content: drafts.Snapshot, classifier: Classifier, known: Policy | None = None) -> Policy:
    """The policy of a snapshot. Only where models may be loaded."""
    from router.compiling import compile_policy
    from workers.encoder import encode

    return compile_policy(content, bytes(classifier.content), encode, known=known)


def policy_of(revision: Revision | None) -> Policy | None:
    """The policy of a revision, if there is one. Only where models may be loaded."""
    from router import policies
    from workers.encoder import encode

    return policies.policy_of(revision, encode) if revision else None


def labelled_cases() -> list[Case]:
    """The labelled set, oldest first."""
    messages = LabelledMessage.objects.order_by("id").values_list("text", "route", "context")
    return [Case(*row) for row in messages]


def _check(trial: Trial) -> dict[str, Any]:
    content, classifier = drafts.snapshot(), drafts.classifier()
    drafts.check(content)
    if drafts.fingerprint(content, classifier.sha256) != trial.input["fingerprint"]:
        raise drafts.DraftChangedError
    live, margin = revisions.live_revision(), Safeguards.current().gate_margin
    verdict = measure(content, classifier, policy_of(live), labelled_cases(), margin, trial.advance)
    outcome = {"verdict": verdict.as_data(), "live": live.number if live else None, "revision": None}
    if trial.input["publish"] and verdict.passes:
        note, fingerprint = trial.input["note"], trial.input["fingerprint"]
        revision = publish_measured(publisher(trial.asked_by), note, fingerprint, verdict, live)
        outcome["revision"] = revision.number
    return outcome


def publisher(user_id: int) -> Any:
    """The user, if they may publish now. Raises `PermissionDenied`: a check takes long enough to lose the right."""
    user = get_user_model().objects.filter(pk=user_id).first()
    if user is None or not user.has_perm("router.publish_revision"):
        raise PermissionDenied("You may not publish any more.")
    return user
