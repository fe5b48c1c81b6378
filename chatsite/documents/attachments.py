"""What a person can do with files: add one to a draft, take it away, send those that are there.

A file is kept in the database, where web and workers see it and where it goes with its message. Reading it is a job.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import QuerySet, Sum
from django.http import Http404
from django.utils import timezone

from chatsite.chat import access
from chatsite.chat.refusals import RefusedError
from chatsite.documents.kinds import KINDS, clean_name, kind_of
from chatsite.documents.models import Attachment, Content
from chatsite.writing import drafts
from workers.jobs import Job
from workers.locks import lock_until_commit

UNREADABLE = (Job.Status.FAILED, Job.Status.QUARANTINED, Job.Status.CANCELLED)


class KnownFile(NamedTuple):
    """What an export has of a file."""

    name: str
    text: str
    is_cut: bool = False  # whether the file has had more text


def attachment_or_404(user: Any, attachment_id: Any) -> Attachment:
    """Raises `Http404` for an id that is malformed, unknown or somebody else's, or of what is deleted."""
    theirs = Attachment.objects.filter(owner_id=user.pk).select_related("conversation")
    found = theirs.filter(pk=_uuid(attachment_id)).first()
    if found is None or (found.conversation and found.conversation.deleted_at):
        raise Http404("No such file.")
    return found


def unsent(user: Any, conversation_id: UUID | None) -> QuerySet[Attachment]:
    """The files that stand in the draft of a conversation, or of a new one."""
    theirs = Attachment.objects.filter(owner_id=user.pk, conversation=conversation_id, message=None)
    return theirs.defer("text")


def unsent_of(user: Any, ids: Iterable[Any]) -> QuerySet[Attachment]:
    """Those of these files that are the person's and not sent yet. Raises `Http404` for an id that is malformed."""
    wanted = [_uuid(each) for each in ids]
    return Attachment.objects.filter(owner_id=user.pk, message=None, pk__in=wanted)


def add(user: Any, file: UploadedFile, *, conversation_id: Any = None, tab: str = "") -> Attachment:
    """Keep a file in a draft and have it read. The same file again is the one that is there.

    Raises `RefusedError` (what is wrong with it, or too much is there already) and `Http404`.
    """
    conversation = access.conversation_or_404(user, conversation_id) if conversation_id else None
    where = conversation.pk if conversation else None
    name = clean_name(file.name or "")
    size = file.size or 0
    if size > settings.FILE_MAX_BYTES:
        raise RefusedError("file_too_large", size=size, limit=settings.FILE_MAX_BYTES)
    content = file.read()
    if not content:
        raise RefusedError("file_empty")
    kind = kind_of(name, content)
    sha256 = hashlib.sha256(content).hexdigest()
    with transaction.atomic():
        lock_until_commit(f"files:{user.pk}")  # of many at once, each counts those before it
        there = unsent(user, where)
        if same := there.filter(sha256=sha256, name=name).first():
            return same
        _check_room(user, there, len(content))
        attachment = Attachment.objects.create(
            owner=user, person=user, conversation=conversation, name=name, kind=kind, size=len(content), sha256=sha256
        )
        Content.objects.create(attachment=attachment, data=content)
        drafts.touch(user, where, tab)
        attachment.enqueue_on_commit()
    return attachment


def remove(user: Any, *, attachment_id: Any, tab: str = "") -> Attachment:
    """Take a file out of a draft. One that was sent stays with its message. Raises `Http404`."""
    attachment = attachment_or_404(user, attachment_id)
    with transaction.atomic():
        drafts.touch(user, attachment.conversation_id, tab)  # before the file, as who sends it does
        if not unsent_of(user, [attachment.pk]).select_for_update().first():
            raise Http404("It was sent.")
        Attachment.objects.filter(pk=attachment.pk).delete()
    return attachment


def sendable(user: Any, ids: Sequence[Any]) -> list[UUID]:
    """Those of these files that a message can have: all but the unreadable ones.

    In the transaction that will `attach` them. Raises `RefusedError` if one is not there any more, or if they are too
    many.
    """
    if len(ids) > settings.FILES_PER_MESSAGE:
        raise RefusedError("too_many_files", most=settings.FILES_PER_MESSAGE)
    if not ids:
        return []
    found = unsent_of(user, ids).values_list("pk", "status")
    if len(found) < len(set(map(str, ids))):
        raise RefusedError("file_gone")
    return [pk for pk, status in found if status not in UNREADABLE]


def names(ids: Sequence[UUID]) -> str:
    """What these files are called; nothing of none."""
    return "" if not ids else ", ".join(Attachment.objects.filter(pk__in=list(ids)).values_list("name", flat=True))


def attach(user: Any, ids: Iterable[UUID], message: Any) -> None:
    """Send files with a message. Raises `RefusedError` if one has been sent in the meantime."""
    wanted = list(ids)
    if wanted and unsent_of(user, wanted).update(message=message, conversation=message.conversation_id) < len(wanted):
        raise RefusedError("file_gone")


def carry_over(source: Any, target: Any) -> None:
    """Give a message the files of another one, as when it says the same in other words. In a transaction.

    Raises `RefusedError` if the person has no room for them.
    """
    copied = Attachment.objects.filter(message=source).aggregate(bytes=Sum("size"))["bytes"] or 0
    if copied:
        lock_until_commit(f"files:{target.user.pk}")
        _check_space(target.user, copied)
    for attachment in Attachment.objects.filter(message=source).select_related("content"):
        content = attachment.content.data
        attachment.pk, attachment.message, attachment._state.adding = None, target, True
        attachment.id = Attachment._meta.get_field("id").get_default()
        attachment.save(force_insert=True)
        Content.objects.create(attachment=attachment, data=content)


def restore(user: Any, files: Iterable[tuple[Any, KnownFile]]) -> None:
    """Give messages, each named beside its file, what an export has of their files. In a transaction.

    What was a PDF or the like is a text file from now on. Raises `RefusedError` if the person has no room for them.
    """
    restored = [_restored(user, message, file) for message, file in files]
    if not restored:
        return
    lock_until_commit(f"files:{user.pk}")
    _check_space(user, sum(attachment.size for attachment in restored))
    Attachment.objects.bulk_create(restored)
    Content.objects.bulk_create(Content(attachment=each, data=each.text.encode()) for each in restored)


def _restored(user: Any, message: Any, file: KnownFile) -> Attachment:
    content, now = file.text.encode(), timezone.now()
    kind = KINDS.get(PurePosixPath(file.name).suffix.lower().removeprefix("."), "")
    is_text = kind in (Attachment.Kind.TEXT, Attachment.Kind.MARKDOWN, Attachment.Kind.CSV)
    return Attachment(
        owner=user,
        person=user,
        conversation=message.conversation,
        message=message,
        name=file.name if is_text else clean_name(f"{file.name}.txt"),
        kind=kind if is_text else Attachment.Kind.TEXT,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        text=file.text,
        is_cut=file.is_cut,
        status=Job.Status.DONE,
        started_at=now,
        finished_at=now,
    )


def _check_room(user: Any, there: QuerySet[Attachment], size: int) -> None:
    if there.count() >= settings.FILES_PER_MESSAGE:
        raise RefusedError("too_many_files", most=settings.FILES_PER_MESSAGE)
    _check_space(user, size)


def _check_space(user: Any, size: int) -> None:
    used = Attachment.objects.filter(owner=user).aggregate(bytes=Sum("size"))["bytes"] or 0
    if used + size > settings.FILES_PER_PERSON_BYTES:
        raise RefusedError("files_full", size=used + size, limit=settings.FILES_PER_PERSON_BYTES)


def _uuid(value: Any) -> UUID:
    try:
        return value if isinstance(value, UUID) else UUID(str(value))
    except ValueError:
        raise Http404("No such id.") from None
