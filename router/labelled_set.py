"""The labelled set in the database: many messages come into it at once, or none of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, transaction

from router.labelled import MAX_MESSAGES, SHOWN_CHARACTERS, Case, LabelledFileError
from router.models import AuditEntry, LabelledMessage
from router.models.labelled import fingerprint

BATCH = 500
SHOWN_MESSAGES = 3


def add(cases: Sequence[Case], actor: Any, source: str) -> int:
    """Take over the messages that are not in the set yet; how many that were. `source` is a `LabelledMessage.Source`.

    Raises `LabelledFileError` if one is in the set with another route, or the set would grow too large.
    """
    try:
        return _add(cases, actor, source)
    except IntegrityError:  # somebody else has added some of them since they were looked for; they are found now
        return _add(cases, actor, source)


@transaction.atomic
def _add(cases: Sequence[Case], actor: Any, source: str) -> int:
    known = dict(LabelledMessage.objects.values_list("fingerprint", "route"))
    _check_routes(cases, known)
    new = {case.fingerprint: case for case in cases if case.fingerprint not in known}
    if len(known) + len(new) > MAX_MESSAGES:
        raise LabelledFileError(
            f"The set may have {MAX_MESSAGES:,} messages. It has {len(known):,}, and {len(new):,} would come on top. "
            "Delete some first, or upload fewer."
        )
    LabelledMessage.objects.bulk_create(
        [
            LabelledMessage(
                text=case.text,
                context=case.context,
                route=case.route,
                source=source,
                fingerprint=mark,
                added_by=actor,
            )
            for mark, case in new.items()
        ],
        batch_size=BATCH,
    )
    if new:
        write_audit(actor, "added", len(new), LabelledMessage.Source(source).label)
    return len(new)


def twin_of(text: str, context: str, besides: int | None = None) -> LabelledMessage | None:
    """The row that says the same as these, other than the one whose key is `besides`."""
    return LabelledMessage.objects.filter(fingerprint=fingerprint(text, context)).exclude(pk=besides or 0).first()


def write_audit(actor: Any, done: str, count: int, remark: str = "") -> None:
    """Say in the audit log what became of how many labelled messages."""
    text = f"{done.capitalize()} {count:,} labelled message{'s' if count != 1 else ''}"
    AuditEntry.write(actor, AuditEntry.Action.LABELLED_SET, f"{text}: {remark}." if remark else f"{text}.", count=count)


def _check_routes(cases: Sequence[Case], known: dict[str, str]) -> None:
    torn = [case for case in cases if known.get(case.fingerprint, case.route) != case.route]
    if not torn:
        return
    named = [
        f"“{case.text[:SHOWN_CHARACTERS]}” is {known[case.fingerprint]} in the set and {case.route} in the file"
        for case in torn[:SHOWN_MESSAGES]
    ]
    more = len(torn) - SHOWN_MESSAGES
    raise LabelledFileError(
        f"A message has one right route: {', '.join(named)}{f', and {more:,} more' if more > 0 else ''}. Correct the "
        "file, or the set."
    )
