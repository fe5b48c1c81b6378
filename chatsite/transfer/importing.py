"""Taking over conversations from a file, in the background worker, one after the other.

Each is saved with a note of where it comes from, in one transaction. So an attempt that breaks off loses nothing: the
next one passes over what is there.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any, cast
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction
from django.utils import timezone, translation

from chatsite.chat import access, conversations
from chatsite.chat.models import Conversation, Message, Turn
from chatsite.chat.refusals import RefusedError
from chatsite.documents import attachments
from chatsite.transfer import files
from chatsite.transfer.models import Import, Origin
from chatsite.transfer.reading import Read, Said, UnreadableError, read, title_of
from workers.jobs import Job
from workers.models import Completion, Role

logger = logging.getLogger(__name__)

KEPT_IMPORTS = 10  # of one person
NAMED_SKIPS = 100  # those beyond are only counted
NOTE_EVERY = 20  # conversations


class StillImportingError(Exception):
    """An import of this person is not finished."""


def start(user: Any, *, name: str, content: bytes) -> Import:
    """Keep a file and have a worker import it. Raises `files.FileError`, `StillImportingError`."""
    files.check(name, content[:100], len(content))
    name, language = conversations.on_one_line(name)[:200], translation.get_language() or ""
    try:
        with transaction.atomic():
            started = Import.objects.create(
                user=user, name=conversations.on_one_line(name)[:200], content=content, language=language
            )
            old = Import.objects.filter(user=user).exclude(status__in=Job.OPEN).values_list("pk", flat=True)
            Import.objects.filter(pk__in=list(old[KEPT_IMPORTS - 1 :])).delete()
            started.enqueue_on_commit()
    except IntegrityError as error:
        raise StillImportingError from error
    return started


def run(job: Import) -> None:
    """Read the file to its end, or to where it is broken; what came before that is kept."""
    with translation.override(job.language or None):
        try:
            _take_all(job)
        except files.FileError as error:
            job.close(Job.Status.FAILED, error_code="bad_file", problem=str(error))
            return
    job.close(Job.Status.DONE)


def let_go(**_: Any) -> None:
    """Discard what has been in quarantine for long, and with it the content of the file. The reaper calls this."""
    long_ago = timezone.now() - Import.KEPT_SET_ASIDE
    for job in Import.objects.filter(status=Job.Status.QUARANTINED, finished_at__lt=long_ago).defer("content"):
        job.discard()


def _take_all(job: Import) -> None:
    counts: Counter[str] = Counter()
    skipped: list[dict[str, str]] = []

    def note() -> bool:
        return job.note(already_count=counts["already"], skipped_count=counts["skipped"], skipped=skipped)

    for number, data in enumerate(files.conversations(bytes(job.content)), 1):
        try:
            counts[_take(job, read(data))] += 1
        except (UnreadableError, RefusedError) as error:
            counts["skipped"] += 1
            if len(skipped) < NAMED_SKIPS:
                why = error.text if isinstance(error, RefusedError) else str(error)
                skipped.append({"title": title_of(data), "why": why})
        if number % NOTE_EVERY == 0 and not note():
            return  # another attempt goes on with it
    note()


def _take(job: Import, conversation: Read) -> str:
    """Save a conversation. What became of it: "imported", or "already" here."""
    user = job.user
    origins = Origin.objects.filter(user=user, source=conversation.source)
    of_deleted = origins.filter(conversation__deleted_at__isnull=False).exclude(brought_by=job)
    if (origin := origins.exclude(pk__in=of_deleted).first()) is not None:
        return "imported" if origin.brought_by_id == job.pk else "already"
    if _is_own(user, conversation.source):
        return "already"
    with transaction.atomic():
        of_deleted.delete()
        saved = _save(user, conversation)
        Origin.objects.create(user=user, source=conversation.source, conversation=saved, brought_by=job)
    _tag(user, saved, conversation.tags)
    return "imported"


def _is_own(user: Any, source: str) -> bool:
    """Whether the conversation has been exported here, and is still here."""
    kind, _, pk = source.partition(":")
    try:
        return kind == "switchyard" and access.conversations(user).filter(pk=UUID(pk)).exists()
    except ValueError:
        return False


def _save(user: Any, conversation: Read) -> Conversation:
    saved = Conversation.objects.create(
        user=user,
        title=conversation.title,
        named_at=timezone.now() if conversation.title else None,
        created_at=conversation.created_at,
        updated_at=conversation.updated_at,
        pinned_at=conversation.updated_at if conversation.is_pinned else None,
        archived_at=conversation.updated_at if conversation.is_archived else None,
    )
    ids = {said.id: uuid4() for said in conversation.messages}
    messages = Message.objects.bulk_create(
        Message(
            id=ids[said.id],
            conversation=saved,
            parent_id=ids[said.parent] if said.parent else None,
            role=Message.Role.ASSISTANT if said.is_answer else Message.Role.USER,
            text="" if said.is_answer else said.text,
            user=None if said.is_answer else user,
            attachment_count=len(said.files),
            created_at=said.at,
        )
        for said in conversation.messages
    )
    both = zip(messages, conversation.messages, strict=True)
    attachments.restore(user, ((message, file) for message, said in both for file in said.files))
    _save_answers(saved, [said for said in conversation.messages if said.is_answer], ids)
    leaf = conversation.leaf and ids.get(conversation.leaf)
    Conversation.objects.filter(pk=saved.pk).update(leaf=leaf or ids[conversation.messages[-1].id])
    return saved


def _save_answers(conversation: Conversation, answers: list[Said], ids: dict[str, UUID]) -> None:
    """An answer is what a completion has written; whoever wrote this one, it was none of our models."""
    times = {said.id: {"queued_at": said.at, "started_at": said.at, "finished_at": said.at} for said in answers}
    completions = Completion.objects.bulk_create(
        Completion(
            reply_id=ids[said.id],
            role=Role.GENERATE,
            prompt=[],
            status=Job.Status.DONE,
            text=said.text,
            **times[said.id],
        )
        for said in answers
    )
    Turn.objects.bulk_create(
        Turn(
            reply_id=ids[said.id],
            message_id=ids[cast(str, said.parent)],
            conversation=conversation,
            completion=completion,
            imported=said.by,
            status=Job.Status.DONE,
            **times[said.id],
        )
        for said, completion in zip(answers, completions, strict=True)
    )


def _tag(user: Any, conversation: Conversation, names: list[str]) -> None:
    try:
        if names:
            conversations.tag(user, conversation_id=conversation.pk, names=names)
    except RefusedError as error:
        logger.info("Conversation %s is imported without its tags: %s", conversation.pk, error)
