"""The end of an account: everything that belongs to a person goes with them."""

from __future__ import annotations

from contextlib import suppress

from django.contrib.admin.models import LogEntry
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.models import Q, QuerySet

from chatsite.accounts.models import Invitation
from chatsite.chat import feed, turns
from chatsite.chat.erasing import with_answers
from chatsite.chat.models import Conversation, Turn
from chatsite.transfer.models import Import
from router.models import AuditEntry
from workers.commits import after_commit
from workers.jobs import Job

TRIES = 3
_FORMER = "former person "  # no name that somebody can choose: those have no spaces


def is_last_owner(user: User) -> bool:
    """Whether nobody else could give rights to anybody once this person is gone."""
    owners = User.objects.filter(is_superuser=True, is_active=True)
    return user.is_superuser and not owners.exclude(pk=user.pk).exists()


def delete_account(user: User) -> None:
    """Delete a person with all that they wrote and were answered; answers that are being written are stopped.

    What an admin has taken into the labelled messages stays there, without a name. What the person has done as an admin
    stays on record, with a number in the place of the name. Raises as `_delete` does if there is always more of theirs.
    """
    for _ in range(TRIES - 1):
        with suppress(IntegrityError, OperationalError):
            _delete(User.objects.get(pk=user.pk))
            return
    _delete(User.objects.get(pk=user.pk))


def _delete(user: User) -> None:
    """Raises `IntegrityError` if something of theirs has been stored meanwhile, `OperationalError` if that waits for
    what is deleted here, while it keeps what this waits for.
    """
    turns.stop_all(Conversation.objects.filter(user=user))
    # Whoever still works on something finds it closed, and stores nothing that would outlive its owner.
    open_jobs = [job for kind in Job.kinds() for job in kind.all_open().filter(person=user)]
    for job in [*open_jobs, *Import.all_open().filter(user=user).defer("content")]:
        job.cancel()
    with transaction.atomic():
        # Whoever would store something else of theirs waits for this, and finds them gone.
        User.objects.select_for_update().get(pk=user.pk)
        _erase(user)


def _erase(user: User) -> None:
    with with_answers(Turn.objects.filter(conversation__user=user)):
        after_commit(feed.forget, user.pk)
        invitations = Invitation.objects.filter(Q(accepted_by=user) | Q(~Q(email=""), email__iexact=user.email))
        _keep_record(user, invitations)
        invitations.delete()
        for session in Session.objects.all():
            if session.get_decoded().get(SESSION_KEY) == str(user.pk):
                session.delete()
        user.delete()
        if connection.vendor == "postgresql":  # which would look at the end, and that is the caller's in the admin
            connection.check_constraints()


def is_former(user: User) -> bool:
    """Whether this is only what stands in the record of changes for somebody who is gone."""
    return user.username.startswith(_FORMER) and not user.is_active


def _keep_record(user: User, invitations: QuerySet[Invitation]) -> None:
    """An audit outlives those whom it is about: as a row without a name, which nobody can sign in as."""
    people, invited = (ContentType.objects.get_for_model(kind) for kind in (User, Invitation))
    ids = [str(pk) for pk in invitations.values_list("pk", flat=True)]
    about = Q(content_type=people, object_id=str(user.pk)) | Q(content_type=invited, object_id__in=ids)
    about |= Q(content_type=invited, object_repr__iexact=user.email)  # of those that are gone already
    LogEntry.objects.filter(about).update(object_repr=f"{_FORMER}{user.pk}")
    done, decided = LogEntry.objects.filter(user=user), AuditEntry.objects.filter(actor=user)
    if done.exists() or decided.exists():
        former = User.objects.create_user(f"{_FORMER}{user.pk}", is_active=False)
        done.update(user=former)
        decided.update(actor=former)
