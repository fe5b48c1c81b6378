"""Making what was tried out the live revision: it passes the gate first, as a draft would.

That people's answers did not get worse while it ran tells nothing of a canary that was started a minute ago, and
next to nothing of a shadow; so having run is no way past the gate.
"""

from __future__ import annotations

from typing import Any

from celery import shared_task
from django.core.exceptions import PermissionDenied
from django.db import transaction

from chatsite.routing.publishing import labelled_cases, measure, policy_of, publisher
from chatsite.routing.queue import BACKGROUND
from router import revisions, rollouts
from router.artefact import ArtefactError
from router.drafts import InvalidPolicyError
from router.models import AuditEntry, Rollout, Safeguards
from router.rollouts import RolloutError
from workers.trials import Trial, attend


def start_promotion(asked_by: Any, rollout: Rollout) -> Trial:
    """Have a rollout's revision measured beside the live one, and made live if it passes. Raises `redis.RedisError`."""
    return Trial.start(promote_if_it_passes, BACKGROUND, asked_by, rollout=rollout.pk, publish=True)


@transaction.atomic
def promote_past_gate(author: Any, rollout: Rollout) -> None:
    """Make it live without measuring; the audit log says so. Raises as `router.rollouts.promote`."""
    rollouts.promote(rollout, author, {"passes": False, "skipped": True})
    text = f"{rollout.revision} went past the gate: it was a {rollout.kind}."
    AuditEntry.write(author, AuditEntry.Action.OVERRIDE, text, revision=rollout.revision_id)


@shared_task(name="routing.promote_if_it_passes")
def promote_if_it_passes(ticket: str) -> None:
    """Measure the revision of a trial, and make it live if it passes."""
    refusals = (InvalidPolicyError, RolloutError, revisions.LiveChangedError, PermissionDenied, ArtefactError)
    attend(ticket, _measure_and_promote, "It could not be measured", refusals)


def _measure_and_promote(trial: Trial) -> dict[str, Any]:
    rollout = Rollout.objects.select_related("revision__classifier").get(pk=trial.input["rollout"])
    revision, live = rollout.revision, revisions.live_revision()
    margin = Safeguards.current().gate_margin
    verdict = measure(revision.snapshot, revision.classifier, policy_of(live), labelled_cases(), margin, trial.advance)
    outcome = {"verdict": verdict.as_data(), "live": live.number if live else None, "revision": None}
    if verdict.passes:
        with transaction.atomic():
            revisions.check_still_live(live)
            rollouts.promote(rollout, publisher(trial.asked_by), verdict.summary())
        outcome["revision"] = revision.number
    return outcome
