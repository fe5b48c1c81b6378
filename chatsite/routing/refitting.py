"""Fitting the draft's classifier again with the accepted corrections. Nothing goes live by that."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

from celery import shared_task
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import QuerySet

from chatsite.routing.queue import BACKGROUND
from router import corrections, drafts, revisions
from router.artefact import ArtefactError, with_metadata
from router.models import AuditEntry, Classifier, Correction, Example, Route
from router.models.labelled import fingerprint
from workers.trials import Trial, attend

if TYPE_CHECKING:
    from router.training_data import Sample

SEED = 1
SOURCE = "correction"
STEPS = 5  # how often a refit says how far it is: reading, three folds, the whole


class NothingToLearnError(Exception):
    """A refit would change nothing. The text says why."""


def start_refit(asked_by: Any) -> Trial:
    """Have the draft's classifier fitted with the accepted corrections. Raises `redis.RedisError`."""
    return Trial.start(refit_classifier, BACKGROUND, asked_by)


@shared_task(name="routing.refit_classifier")
def refit_classifier(ticket: str) -> None:
    """Fit, make the result the draft's classifier, and keep how it does before and after."""
    refusals = (NothingToLearnError, ArtefactError, drafts.InvalidPolicyError, revisions.DraftChangedError)
    attend(ticket, _refit, "The classifier could not be fitted", refusals)


def learnable() -> QuerySet[Correction]:
    """The accepted corrections whose right route is in the draft, oldest first."""
    routes = Route.objects.filter(is_enabled=True).values("name")
    return Correction.objects.filter(state=Correction.State.ACCEPTED, route__in=routes).order_by("id")


def _refit(trial: Trial) -> dict[str, Any]:
    current = drafts.classifier()
    base = _before_corrections(current)
    accepted = list(learnable())
    if not accepted and base == current:
        raise NothingToLearnError("No correction is accepted yet, so there is nothing to learn.")
    roles = dict(Route.objects.values_list("name", "role"))
    fitted = _fit(base, _samples(accepted, roles), trial) if accepted else bytes(base.content)
    actor = get_user_model()._default_manager.get(pk=trial.asked_by)
    people = len({correction.user_id for correction in accepted})
    with transaction.atomic():
        drafts.lock()
        if drafts.classifier() != current:
            raise revisions.DraftChangedError
        classifier = revisions.store_classifier(fitted)
        drafts.set_classifier(classifier)
        examples = _add_examples(accepted, roles)
        AuditEntry.write(
            actor,
            AuditEntry.Action.REFIT,
            f"Fitted the draft's classifier with {len(accepted)} corrections of {people} people.",
            classifier=classifier.sha256,
            base=base.sha256,
            examples=examples,
        )
    return {
        "corrections": len(accepted),
        "people": people,
        "left_out": Correction.objects.filter(state=Correction.State.ACCEPTED).count() - len(accepted),
        "examples": len(examples),
        "classifier": str(classifier),
        "figures": _figures(classifier.metadata) if accepted else [],
    }


def _before_corrections(classifier: Classifier) -> Classifier:
    """What every refit starts from: were it the last one's result, pressing the button again would add weight.

    Raises `NothingToLearnError` if it has been deleted.
    """
    while base_sha := classifier.metadata.get("base_sha256"):
        base = Classifier.objects.filter(pk=base_sha).first()
        if base is None:
            raise NothingToLearnError(
                "The classifier that this one was fitted from is gone, so a refit has nothing to start from. "
                "Load a revision with a classifier that has learnt no corrections into the draft."
            )
        classifier = base
    return classifier


def _fit(base: Classifier, samples: Sequence[Sample], trial: Trial) -> bytes:
    from router.training import refit  # scikit-learn and the encoder: only in this worker
    from workers.encoder import encode

    steps = count(1)

    def report(line: str) -> None:
        trial.advance(min(next(steps), STEPS), STEPS)

    fitted = refit(bytes(base.content), samples, SEED, report, encode)
    marks = {fingerprint(sample.text, sample.context) for sample in samples} | {*base.metadata.get("fitted_on", ())}
    return with_metadata(fitted, fitted_on=sorted(marks), base_sha256=base.sha256)  # the gate leaves these out


def _samples(accepted: Sequence[Correction], roles: dict[str, str]) -> list[Sample]:
    from router.training_data import Sample

    kinds = [(correction.user_id, roles[correction.route]) for correction in accepted]
    return [
        Sample(
            text=correction.text,
            role=roles[correction.route],
            group=correction.text,
            source=SOURCE,
            context=correction.context,
            weight=weight,
        )
        for correction, weight in zip(accepted, corrections.weights(kinds), strict=True)
    ]


def _add_examples(accepted: Sequence[Correction], roles: dict[str, str]) -> list[int]:
    """Make examples of corrections where a role has several routes: examples tell those apart. The new rows.

    An example has no weight, so a person has as many as all their corrections weigh together: whole ones only, and
    none while fewer than three people say so.
    """
    from router.features import excerpt

    routes = {route.name: route for route in Route.objects.filter(is_enabled=True)}
    shared = {role for role, number in Counter(route.role for route in routes.values()).items() if number > 1}
    told = [correction for correction in accepted if roles[correction.route] in shared]
    weights = corrections.weights([(correction.user_id, correction.route) for correction in told], alone=0)
    left: defaultdict[tuple[int, str], float] = defaultdict(float)
    for correction, weight in zip(told, weights, strict=True):
        left[correction.user_id, correction.route] += weight
    room = {name: drafts.MAX_EXAMPLES - route.examples.count() for name, route in routes.items()}
    added = []
    for correction in told:
        if left[correction.user_id, correction.route] < 1 - 1e-9 or room[correction.route] <= 0:
            continue
        left[correction.user_id, correction.route] -= 1
        text = excerpt(correction.text)  # all that is read of it; a snapshot should not keep long pastes
        if not Example.objects.filter(text=text).exists():
            added.append(Example.objects.create(route=routes[correction.route], text=text, is_quoted=False).pk)
            room[correction.route] -= 1
    return added


def _figures(metadata: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of the table: what was measured on held-out folds, before and after."""
    before, after = metadata["before"], metadata["metrics"]
    rows = [
        ("Accuracy, all messages", before["accuracy"], after["accuracy"]),
        ("Macro-F1, all messages", before["macro_f1"], after["macro_f1"]),
        *(
            ("Accuracy, the corrections", was, after["accuracy_by_source"].get(source))
            for source, was in before["accuracy_by_source"].items()
            if source == SOURCE
        ),
    ]
    return [{"name": name, "before": was, "after": now} for name, was, now in rows]
