"""Sharing a conversation by a link: what is shown is what was there at that moment, until the owner shares it anew.

A link only ever lets read. Whoever owns the conversation revokes it, deletes the conversation, or loses the account,
and there is nothing behind the link any more.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.http import Http404
from django.utils import timezone

from chatsite.chat import access
from chatsite.chat.branches import Tree
from chatsite.chat.models import Conversation, Message
from chatsite.sharing.models import Share

OFF, MEMBERS, PUBLIC = "off", "members", "public"  # SHARE_LINKS


class NothingToShareError(Exception):
    """The conversation has no message yet."""


def are_on() -> bool:
    """Whether people can share at all."""
    return bool(settings.SHARE_LINKS != OFF)


def are_public() -> bool:
    """Whether somebody without an account can read what is shared."""
    return bool(settings.SHARE_LINKS == PUBLIC)


def of(user: Any) -> QuerySet[Share]:
    """The links of a person, the newest first."""
    return Share.objects.filter(conversation__in=access.conversations(user)).select_related("conversation")


def share(user: Any, *, conversation_id: Any, until: Any = None) -> Share:
    """Make a link to a conversation as it is now, or bring the one that there is up to date.

    It shows everything up to the message `until`, on the branch of that; without one, the whole branch that is shown.
    Raises `Http404` as `access.conversation_or_404` and `last_message` do, `NothingToShareError`.
    """
    conversation = access.conversation_or_404(user, conversation_id)
    leaf = _finished(last_message(user, conversation, until)) if until else _newest_finished(conversation)
    snapshot = {
        "title": conversation.title,
        "leaf_id": leaf,
        "ends_on_purpose": bool(until),
        "taken_at": timezone.now(),
    }
    return Share.objects.update_or_create(conversation=conversation, defaults=snapshot)[0]


def last_message(user: Any, conversation: Conversation, message_id: Any) -> Message:
    """The message up to which is shared. Raises `Http404` if it is none of the conversation."""
    message = access.message_or_404(user, message_id)
    if message.conversation_id != conversation.pk:
        raise Http404("No such message in this conversation.")
    return message


def shows_files(conversation: Conversation, share: Share | None, end: UUID | None) -> bool:
    """Whether files have been sent whose names a link shows that ends at the message `end`.

    Without an end, whether the link that there is shows any, or would when it is brought up to date.
    """
    tree = Tree(conversation)
    ends = {end} if end else {tree.leaf, share.leaf_id if share else None}
    shown = {pk for one in ends for pk in tree.path_to(one)}
    return conversation.messages.filter(pk__in=shown, attachment_count__gt=0).exists()


def revoke(user: Any, *, conversation_id: Any) -> Conversation:
    """Make a link lead nowhere, for good. Raises `Http404` as `access.conversation_or_404` does."""
    conversation = access.conversation_or_404(user, conversation_id)
    Share.objects.filter(conversation=conversation).delete()
    return conversation


def opened(token: str) -> Share:
    """What is behind a link. Raises `Http404` if it is unknown, revoked, or its conversation is gone."""
    shares = Share.objects.select_related("conversation__user").filter(
        token=token, conversation__deleted_at=None, conversation__user__is_active=True
    )
    found = shares.first() if are_on() and token.isprintable() else None
    if found is None:
        raise Http404("No such link.")
    return found


def has_news(share: Share) -> bool:
    """Whether the conversation says something else by now than the link shows."""
    now = (_newest_finished(share.conversation), share.conversation.title)
    return now != (share.leaf_id, share.title)


def message_ids(share: Share) -> list[UUID]:
    """The messages that are shared, oldest first."""
    return Tree(share.conversation).path_to(share.leaf_id)


def _newest_finished(conversation: Conversation) -> UUID:
    """The end of the branch that is shown, without an answer that is still being written."""
    leaf = Tree(conversation).leaf
    if leaf is None:
        raise NothingToShareError
    return _finished(conversation.messages.select_related("turn__completion").get(pk=leaf))


def _finished(message: Message) -> UUID:
    """A message; of an answer that is still being written, what it answers."""
    is_open = message.role == Message.Role.ASSISTANT and message.turn.answer.is_open
    return message.turn.message_id if is_open else message.pk
