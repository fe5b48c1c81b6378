"""Trying a revision out beside the live one: starting a canary or a shadow, stopping it, making it live."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction

from router import drafts, revisions
from router.models import AuditEntry, Revision, Rollout

Action = AuditEntry.Action

# Of the conversations: more than an experiment is a publication, and has to pass the gate.
UNPROVEN_SHARE = 50


class RolloutError(Exception):
    """A rollout that cannot be started or changed. The text says why."""


def start(kind: str, revision: Revision, share: int, author: Any) -> Rollout:
    """Run a revision as a canary for `share` per cent of the conversations, or as a shadow.

    A revision that neither passed the gate nor was live gets `UNPROVEN_SHARE` at most.
    Raises `RolloutError`, or `InvalidPolicyError` if what the revision needs is gone.
    """
    live = revisions.live_revision()
    if live is None:
        raise RolloutError("Nothing is live that it could be compared with. Publish the draft first.")
    if live == revision:
        raise RolloutError(f"{revision} is live already: everybody gets it.")
    if not 1 <= share <= 100:
        raise RolloutError("The share is a percentage from 1 to 100.")
    is_proven = revision.went_live_at is not None or revision.evaluation.get("passes")
    if kind == Rollout.Kind.CANARY and share > UNPROVEN_SHARE and not is_proven:
        raise RolloutError(
            f"{revision} has not passed the gate, so at most {UNPROVEN_SHARE} % of the conversations can have it. "
            "To give it to more, publish it."
        )
    drafts.check(revision.snapshot)
    try:
        with transaction.atomic():
            rollout = Rollout.objects.create(kind=kind, revision=revision, share=share, started_by=author)
            scope = f", for {share} % of the conversations" if kind == Rollout.Kind.CANARY else ""
            AuditEntry.write(author, Action.ROLLOUT_START, f"{rollout}{scope}.", rollout=rollout.pk, share=share)
    except IntegrityError as error:
        running = Rollout.running(kind)
        raise RolloutError(f"{running or f'Another {kind}'} runs already. Stop it first.") from error
    return rollout


@transaction.atomic
def start_draft(kind: str, share: int, author: Any, note: str = "", *, expected: str = "") -> Rollout:
    """Fix the draft as a revision, and try that out. The gate is asked when it is to go live.

    Raises as `start`, and `DraftChangedError` if the draft has another fingerprint than `expected`.
    """
    return start(kind, revisions.make_revision(author, note, expected=expected), share, author)


def stop(rollout: Rollout, author: Any, reason: str = "") -> None:
    """End a rollout: the live revision answers everybody again. Raises `RolloutError` if it has ended."""
    if not rollout.end(Rollout.Outcome.STOPPED, author, reason or "Stopped by hand."):
        raise RolloutError("It has ended in the meantime.")


@transaction.atomic
def promote(rollout: Rollout, author: Any, evaluation: dict[str, Any]) -> None:
    """Make the revision that was tried out the live one. `evaluation` is what the gate found.

    Raises `RolloutError` if it has ended, for instance because it was rolled back, or `InvalidPolicyError`.
    """
    drafts.lock()  # before the row of the rollout, which others who publish take after it
    running = (
        Rollout.objects.select_for_update().filter(pk=rollout.pk, ended_at=None).select_related("revision").first()
    )
    if running is None:
        raise RolloutError("It has ended in the meantime.")
    revision = running.revision
    drafts.check(revision.snapshot)
    revision.evaluation, revision.parent = evaluation, revisions.live_revision()
    revision.save(update_fields=["evaluation", "parent"])
    revisions.go_live(revision, author)
    AuditEntry.write(author, Action.PUBLISH, f"{revision} is live: it was a {running.kind}.", revision=revision.number)
