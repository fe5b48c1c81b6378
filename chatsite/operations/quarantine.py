"""Jobs in quarantine, given another chance or given up by an admin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from chatsite.chat import feed
from chatsite.chat.models import Turn
from chatsite.operations.audit import write_down
from workers import stream
from workers.commits import after_commit
from workers.jobs import Job

RETRIED = "Retried out of quarantine."
DISCARDED = "Discarded out of quarantine."


def find(names: list[str]) -> Iterator[Job]:
    """The jobs that these names (`app_label.modelname:id`) stand for; what is none, or gone, is left out."""
    kinds = {kind._meta.label_lower: kind for kind in Job.kinds()}
    for name in names:
        label, _, pk = name.partition(":")
        try:
            job = kinds[label]._default_manager.filter(pk=pk).first()
        except (KeyError, ValueError, ValidationError):
            continue
        if job:
            yield job


def retry(job: Job, actor: Any) -> bool:
    """Queue it with a fresh set of attempts, and write that down.

    False: it is not in quarantine any more, or it may not be open beside another one (a person has one open replay).
    Raises `redis.RedisError`.
    """
    if job.status != Job.Status.QUARANTINED:
        return False
    stream.forget(job.reply_id)  # it says that there will be no answer
    try:
        with transaction.atomic():
            if not job.try_again():
                return False
            _write_down(job, actor, RETRIED)
            job.enqueue_on_commit()
            _tell(job)
    except IntegrityError:
        return False
    return True


def discard(job: Job, actor: Any) -> bool:
    """Leave it among the failed ones, and write that down. False: it is not in quarantine any more."""
    with transaction.atomic():
        if not job.discard():
            return False
        _write_down(job, actor, DISCARDED)
    return True


def _tell(job: Job) -> None:
    """When it commits: the open tabs of whoever waits for the reply watch it again."""
    for turn in Turn.objects.select_related("conversation").filter(pk=job.reply_id):
        frame = {"type": "branch", "conversation": str(turn.conversation_id)}
        after_commit(feed.tell, turn.conversation.user_id, frame)


def _write_down(job: Job, actor: Any, text: str) -> None:
    name = f"{job._meta.verbose_name} {job.pk}"  # by itself, it may name a file; and an audit outlives its owner
    write_down(actor, type(job), str(job.pk), name, text)
