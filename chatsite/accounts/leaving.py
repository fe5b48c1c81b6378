"""The end of an account: everything that belongs to a person goes with them."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import transaction

from chatsite.chat import turns
from chatsite.chat.models import Turn
from chatsite.transfer.models import Import
from router.models import Decision
from workers.jobs import Job
from workers.models import Completion


def is_last_owner(user: User) -> bool:
    """Whether nobody else could give rights to anybody once this person is gone."""
    owners = User.objects.filter(is_superuser=True, is_active=True)
    return user.is_superuser and not owners.exclude(pk=user.pk).exists()


def delete_account(user: User) -> None:
    """Delete a person with all that they wrote and were answered; answers that are being written are stopped.

    What an admin has taken into the labelled messages stays there, without a name.
    """
    theirs = Turn.objects.filter(conversation__user=user)
    for turn in theirs.filter(conversation__deleted_at=None).select_related("completion"):
        if turn.answer.is_open:
            turns.stop(user, reply_id=turn.pk)
    # Whoever still works on something finds it closed, and stores nothing that would outlive its owner.
    open_jobs = [job for kind in Job.kinds() for job in kind.all_open().filter(person=user)]
    for job in [*open_jobs, *Import.all_open().filter(user=user).defer("content")]:
        job.cancel()
    with transaction.atomic():
        completions = list(theirs.exclude(completion=None).values_list("completion_id", flat=True))
        decisions = list(theirs.exclude(decision=None).values_list("decision_id", flat=True))
        user.delete()
        Completion.objects.filter(pk__in=completions).delete()
        Decision.objects.filter(pk__in=decisions).delete()
