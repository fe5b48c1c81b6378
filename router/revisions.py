"""Revisions: what is published, never changed again. Publishing and rolling back both make a new one."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone

from router import drafts
from router.artefact import read_metadata
from router.drafts import DraftChangedError, InvalidPolicyError, Snapshot
from router.models import AuditEntry, Classifier, Revision, Rollout
from router.policy import RouteSpec, model_groups_of, routes_of

NOTE_LENGTH = 200
KEPT_CONTENTS = 16
Action = AuditEntry.Action


def import_classifier(path: Path | str) -> Classifier:
    """The row of the artefact in a file, made if it is new. Raises `ArtefactError` or `OSError`."""
    return store_classifier(Path(path).read_bytes())


def store_classifier(content: bytes) -> Classifier:
    """The row of an artefact, made if it is new. Raises `ArtefactError`."""
    classifier, _ = Classifier.objects.get_or_create(
        sha256=hashlib.sha256(content).hexdigest(),
        defaults={"content": content, "metadata": read_metadata(content)},
    )
    return classifier


@transaction.atomic
def take_classifier(classifier: Classifier, actor: Any) -> None:
    """Make a classifier that came from a file the draft's, and write that into the audit log."""
    drafts.lock()
    drafts.set_classifier(classifier)
    AuditEntry.write(
        actor, Action.IMPORT, f"The classifier {classifier} came from a file.", classifier=classifier.sha256
    )


def live_revision() -> Revision | None:
    """The revision that answers now."""
    return Revision.objects.filter(is_live=True).select_related("classifier").first()


@dataclass(frozen=True)
class Content:
    """The routes of a revision, and who may use those of their models that not everybody may use."""

    routes: tuple[RouteSpec, ...] = ()
    model_groups: Mapping[int, frozenset[int]] = field(default_factory=dict)

    @cached_property
    def titles(self) -> dict[str, str]:
        """What people call the routes, by name."""
        return {route.name: route.title for route in self.routes}


@lru_cache(maxsize=KEPT_CONTENTS)
def content(number: int, created_at: datetime) -> Content:
    """What a revision says, read once in a process, since it never changes.

    The time of the revision tells it from another of that number, after a database was restored or replaced.
    """
    snapshot: Snapshot = Revision.objects.values_list("snapshot", flat=True).get(number=number, created_at=created_at)
    return Content(routes_of(snapshot), model_groups_of(snapshot))


def draft_is_published() -> bool:
    """Whether the live revision says what the draft says."""
    live = live_revision()
    return live is not None and drafts.current_fingerprint() == drafts.fingerprint(live.snapshot, live.classifier_id)


@transaction.atomic
def make_revision(author: Any, note: str = "", *, expected: str = "", **facts: Any) -> Revision:
    """Fix the draft as a revision that is not live: for a canary, a shadow, or the next step of a publication.

    `expected` is the fingerprint that the draft must still have. Raises `InvalidPolicyError` or `DraftChangedError`.
    """
    drafts.lock()
    drafts.expect(expected)
    content, classifier = drafts.snapshot(), drafts.classifier()
    drafts.check(content)
    return _add(content, classifier, author, note, **facts)


class LiveChangedError(Exception):
    """Another revision went live while this one was measured beside the former one."""

    def __init__(self) -> None:
        super().__init__("Another revision went live in the meantime. Have it checked again, beside that one.")


def check_still_live(beside: Revision | None) -> None:
    """Raises `LiveChangedError` if `beside`, what a draft was measured beside, is not what is live.

    Call it inside the transaction that publishes: others who publish wait for its end.
    """
    drafts.lock()
    if live_revision() != beside:
        raise LiveChangedError


@transaction.atomic
def publish(author: Any, note: str = "", *, expected: str = "", **facts: Any) -> Revision:
    """Make the draft the live revision, and write that into the audit log. Raises as `make_revision`."""
    revision = make_revision(author, note, expected=expected, **facts)
    go_live(revision, author)
    text = f"{revision} is live: {revision.note}"
    AuditEntry.write(author, Action.PUBLISH, text, revision=revision.number, evaluation=revision.evaluation)
    return revision


@transaction.atomic
def roll_back(author: Any, to: Revision) -> Revision:
    """Make what a former revision says live again, as a new revision.

    The draft follows, unless it has changes that are not published: those stay. Raises `InvalidPolicyError` if what
    the revision needs is gone, or if it never was live: then nothing but the gate can let it through.
    """
    if to.went_live_at is None:
        raise InvalidPolicyError(f"{to} never was live. Load it into the draft, and publish that.")
    drafts.check(to.snapshot)
    drafts.lock()  # now, so that nobody changes the draft between this look at it and its replacement
    follows = draft_is_published()
    revision = _add(to.snapshot, to.classifier, author, f"Back to {str(to).lower()}")
    go_live(revision, author)
    if follows:
        with contextlib.suppress(InvalidPolicyError):  # a group is gone: going back is urgent, the draft is not
            drafts.restore(to.snapshot, to.classifier, author)
    AuditEntry.write(author, Action.ROLL_BACK, f"{revision} is live: {revision.note}", revision=revision.number)
    return revision


def go_live(revision: Revision, author: Any) -> None:
    """Make an existing revision the live one. Call it inside a transaction.

    What was tried out as that revision is promoted by it. Any other canary ends: it was compared with the revision
    that was live until now. A shadow answers nobody, and goes on.
    """
    Revision.objects.filter(is_live=True).update(is_live=False)
    revision.is_live = True
    revision.went_live_at = timezone.now()
    revision.save(update_fields=["is_live", "went_live_at"])
    for rollout in Rollout.objects.filter(ended_at=None).select_related("revision"):
        if rollout.revision_id == revision.number:
            rollout.end(Rollout.Outcome.PROMOTED, author, f"{revision} is live.")
        elif rollout.kind == Rollout.Kind.CANARY:
            rollout.end(
                Rollout.Outcome.STOPPED, author, f"{revision} went live, so there is nothing to compare it with."
            )


def _add(content: Snapshot, classifier: Classifier, author: Any, note: str, **facts: Any) -> Revision:
    drafts.lock()
    last = Revision.objects.order_by("-number").first()
    return Revision.objects.create(
        number=last.number + 1 if last else 1,
        parent=Revision.objects.filter(is_live=True).first(),
        snapshot=content,
        classifier=classifier,
        author=author,
        note=note[:NOTE_LENGTH],
        **facts,
    )


__all__ = [
    "Content",
    "DraftChangedError",
    "InvalidPolicyError",
    "LiveChangedError",
    "check_still_live",
    "content",
    "draft_is_published",
    "go_live",
    "import_classifier",
    "live_revision",
    "make_revision",
    "publish",
    "roll_back",
    "store_classifier",
    "take_classifier",
]
