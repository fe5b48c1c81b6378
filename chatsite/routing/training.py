"""Fitting a whole classifier anew, from the project's messages and more that an admin has. Nothing goes live by that.

It takes half an hour of one core with the encoder, and a minute without. So it is a job: a worker that dies is a new
attempt (see `workers.reaper`), which starts over. What comes of it is stored; it becomes the draft's classifier when an
admin says so, who has seen the figures.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from celery import shared_task
from django.db import DatabaseError, IntegrityError, transaction

from chatsite.routing.models import Training
from router import drafts, revisions
from router.artefact import with_metadata
from router.labelled import Case
from router.models import AuditEntry, Classifier, LabelledMessage, Route
from router.models.labelled import fingerprint
from workers import attempts
from workers.jobs import Job

if TYPE_CHECKING:
    from router.training_data import Sample

logger = logging.getLogger(__name__)

SOURCE = "own"
KEPT_TRAININGS = 20


class StillTrainingError(Exception):
    """A training is not finished; a second one would only take its time."""

    def __init__(self) -> None:
        super().__init__("A training is not finished. Wait for it, or cancel it.")


class _NotOursError(Exception):
    """It was cancelled, or another attempt goes on with it."""


def start(asked_by: Any, *, cases: Sequence[Case] = (), seed: int = 1, with_encoder: bool = True) -> Training:
    """Have a worker fit a classifier on the project's messages and `cases`, whose routes are the draft's.

    Raises `StillTrainingError`.
    """
    roles = dict(Route.objects.values_list("name", "role"))
    rows = [{"text": case.text, "role": roles[case.route], "context": case.context} for case in cases]
    training = Training(asked_by=asked_by, rows=rows, seed=seed, with_encoder=with_encoder)
    try:
        with transaction.atomic():
            training.save()
            AuditEntry.write(asked_by, AuditEntry.Action.TRAIN, f"Started a {training}", training=str(training.pk))
            old = Training.objects.exclude(status__in=Job.OPEN).values_list("pk", flat=True)[KEPT_TRAININGS - 1 :]
            Training.objects.filter(pk__in=list(old)).delete()
            training.enqueue_on_commit()
    except IntegrityError as error:
        raise StillTrainingError from error
    return training


@transaction.atomic
def cancel(training: Training, actor: Any) -> None:
    """Stop a training; one that has ended stays as it is."""
    if training.cancel():
        AuditEntry.write(actor, AuditEntry.Action.TRAIN, f"Cancelled a {training}", training=str(training.pk))


@transaction.atomic
def take(training: Training, classifier: Classifier, actor: Any) -> None:
    """Make the classifier that came of a training the draft's."""
    drafts.lock()
    drafts.set_classifier(classifier)
    text = f"Took the classifier of a {training} into the draft"
    AuditEntry.write(actor, AuditEntry.Action.TRAIN, text, classifier=classifier.sha256)


@shared_task(name="routing.train_classifier")
def train_classifier(training_id: str, attempt: int) -> None:
    """Run one attempt of a training, if it is still waiting."""
    with attempts.claimed(Training, training_id, attempt) as held:
        if held:
            _run(held[0])


def _run(training: Training) -> None:
    from router.training import fit  # scikit-learn and the encoder: only in this worker
    from router.training_data import own_samples
    from workers.encoder import encode

    lines: list[str] = []

    def report(line: str) -> None:
        lines.append(line)
        try:
            is_ours = training.note(log=lines)
        except DatabaseError:  # away for a moment: the work is worth more than the line
            logger.exception("The progress of a %s could not be stored", training)
            return
        if not is_ours:
            raise _NotOursError

    samples = [*own_samples(training.seed), *map(_sample, training.rows)]
    try:
        content = fit(samples, training.seed, report, encode if training.with_encoder else None)
    except _NotOursError:
        return
    if marks := _labelled(training.rows):
        content = with_metadata(content, fitted_on=marks)  # the gate leaves these messages out
    attempts.close_persistently(training, Job.Status.DONE, classifier=revisions.store_classifier(content))


def _labelled(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """The fingerprints of those that are in the labelled set; those of all could make an artefact too large."""
    marks = {fingerprint(row["text"], row["context"]) for row in rows}
    return sorted(marks & set(LabelledMessage.objects.values_list("fingerprint", flat=True))) if marks else []


def _sample(row: Mapping[str, str]) -> Sample:
    from router.training_data import Sample

    return Sample(row["text"], row["role"], row["text"], SOURCE, row["context"])
