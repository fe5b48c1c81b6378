"""What a person can do to a whole conversation: name it, pin it, archive it, tag it, delete it, have it back.

Every tab of the person hears of it, as one frame that says how the conversation stands now (`listing.frame`).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.http import Http404
from django.utils import timezone

from chatsite.chat import access, feed, listing, turns
from chatsite.chat.erasing import with_answers
from chatsite.chat.models import Conversation, Tag, Turn
from chatsite.chat.refusals import RefusedError
from workers.commits import after_commit

UNDO_SECONDS = 120  # after that a deleted conversation goes for good
PURGED_AT_ONCE = 50  # conversations; whoever purges them has other things to look after
MOST_TAGS = 10  # of one conversation
MOST_TAGS_IN_ALL = 100  # of one person


def rename(user: Any, *, conversation_id: Any, title: str) -> Conversation:
    """Give a conversation another title, on one line and cut to size; an empty one changes nothing."""
    conversation = access.conversation_or_404(user, conversation_id)
    if title := on_one_line(title)[: Conversation._meta.get_field("title").max_length]:
        _change(conversation, title=title, named_at=timezone.now())
    return conversation


def pin(user: Any, *, conversation_id: Any, is_pinned: bool) -> Conversation:
    """Keep a conversation above the others, or no longer. One that was archived comes back."""
    conversation = access.conversation_or_404(user, conversation_id)
    if is_pinned:
        return _change(conversation, pinned_at=timezone.now(), archived_at=None)
    return _change(conversation, pinned_at=None)


def archive(user: Any, *, conversation_id: Any, is_archived: bool) -> Conversation:
    """Put a conversation out of the list, or back to where it was in it. Its next message does that, too."""
    conversation = access.conversation_or_404(user, conversation_id)
    return _change(conversation, archived_at=timezone.now() if is_archived else None)


def tag(user: Any, *, conversation_id: Any, names: Iterable[str]) -> Conversation:
    """Give a conversation these tags and no others. Raises `RefusedError` if they are too many."""
    conversation = access.conversation_or_404(user, conversation_id)
    with transaction.atomic():
        conversation.tags.set(tags_of(user, names))
        _forget_unused_tags(user)
        _tell(conversation)
    return conversation


def tags_of(user: Any, names: Iterable[str]) -> list[Tag]:
    """The tags of these names, made where there are none, in a transaction. Raises `RefusedError`: too many."""
    longest = Tag._meta.get_field("name").max_length
    cleaned = (on_one_line(name)[:longest].strip() for name in names)
    wanted = {_key(name): name for name in cleaned if name}
    if len(wanted) > MOST_TAGS:
        raise RefusedError("too_many_tags", most=MOST_TAGS)
    # Two tabs at once make a tag once. No key: what is saved meanwhile refers to this row.
    get_user_model()._default_manager.select_for_update(no_key=True).get(pk=user.pk)
    owned = {_key(one.name): one for one in Tag.objects.filter(user=user)}
    if len(owned.keys() | wanted.keys()) > MOST_TAGS_IN_ALL:
        raise RefusedError("too_many_tags_in_all", most=MOST_TAGS_IN_ALL)
    return [owned.get(key) or Tag.objects.create(user=user, name=name) for key, name in wanted.items()]


def see(user: Any, *, conversation_id: Any) -> None:
    """The person looks at a conversation: no answer in it is new to them any more. Raises `Http404`."""
    conversation = access.conversation_or_404(user, conversation_id)
    if Conversation.objects.filter(pk=conversation.pk).exclude(ready_at=None).update(ready_at=None):
        feed.tell(user.pk, {"type": "seen", "conversation": str(conversation.pk)})


def delete(user: Any, *, conversation_id: Any) -> Conversation:
    """Delete a conversation: it is nowhere any more, and soon gone for good; open answers are stopped."""
    conversation = access.conversation_or_404(user, conversation_id)
    _change(conversation, deleted_at=timezone.now())
    turns.stop_all(Conversation.objects.filter(pk=conversation.pk))
    return conversation


def restore(user: Any, *, conversation_id: Any) -> Conversation:
    """Undo a deletion. Raises `Http404` if there is nothing to undo, or no longer."""
    conversation = access.conversations(user).filter(pk=conversation_id).first()
    return conversation or _change(access.deleted_conversation_or_404(user, conversation_id), deleted_at=None)


def purge(**_: Any) -> None:
    """What was deleted goes for good, with all that was said, decided and answered in it.

    The reaper calls this again and again: each time, a few of those that are due go.
    """
    long_ago = timezone.now() - timedelta(seconds=UNDO_SECONDS)
    is_being_answered = Exists(Turn.unanswered().filter(conversation=OuterRef("pk")))
    due = Conversation.objects.filter(~is_being_answered, deleted_at__lt=long_ago).order_by("deleted_at")
    if some := list(due.values_list("pk", flat=True)[:PURGED_AT_ONCE]):
        _purge(some)


@transaction.atomic
def _purge(some: list[UUID]) -> None:
    rows = Conversation.objects.select_for_update().filter(pk__in=some).exclude(deleted_at=None).order_by("pk")
    owner_of = dict(rows.values_list("pk", "user_id"))  # of some, it may have been undone in the last moment
    with with_answers(Turn.objects.filter(conversation__in=owner_of)):
        Conversation.objects.filter(pk__in=owner_of).delete()
    Tag.objects.filter(user__in=set(owner_of.values()), conversations=None).delete()


def on_one_line(text: str) -> str:
    """A name without line breaks and other characters that are none."""
    return " ".join("".join(" " if unicodedata.category(one) in ("Cc", "Cs") else one for one in text).split())


def _change(conversation: Conversation, **fields: Any) -> Conversation:
    """Raises `Http404` if it has gone for good meanwhile."""
    with transaction.atomic():
        if not Conversation.objects.filter(pk=conversation.pk).update(**fields):
            raise Http404("The conversation is gone.")
        _tell(conversation)
    for name, value in fields.items():
        setattr(conversation, name, value)
    return conversation


def _tell(conversation: Conversation) -> None:
    after_commit(tell, conversation)


def tell(conversation: Conversation) -> None:
    """Tell all tabs of its owner how a conversation stands."""
    feed.tell(conversation.user_id, listing.frame(conversation.user, conversation.pk))


def _forget_unused_tags(user: Any) -> None:
    Tag.objects.filter(user=user, conversations=None).delete()


def _key(name: str) -> str:
    """What names of the same tag have in common. PostgreSQL has one small letter for the Turkish İ, Python two."""
    return name.replace("İ", "i").casefold()
