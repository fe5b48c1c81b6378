"""The list of a person's conversations: in groups by their age, a page at a time, perhaps those of one tag only.

Pages go by key: what happens meanwhile moves no conversation from one page to the next.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from chatsite.chat import access, keys
from chatsite.chat.frames import Frame
from chatsite.chat.models import Conversation, Tag

PAGE = 50
MOST_PINNED = 100  # above the others; those beyond are among them
PINNED = "pinned"


@dataclass(frozen=True)
class Group:
    """Conversations under one heading. `days` is how old the oldest may be; None: as old as they come."""

    name: str
    title: str | Promise
    days: int | None
    conversations: list[Conversation]


@dataclass(frozen=True)
class Page:
    """One page of the list. `older` is the key of the next one; empty: there is none."""

    groups: list[Group]
    older: str = ""
    tag: Tag | None = None
    is_archive: bool = False

    @property
    def conversations(self) -> list[Conversation]:
        """All of this page, as they stand."""
        return [conversation for group in self.groups for conversation in group.conversations]


def page(user: Any, *, before: str = "", tag_id: str = "", is_archive: bool = False) -> Page:
    """A page of a person's conversations, from the newest or `before` a key on. The first one has the pinned ones.

    A key or a tag that means nothing is as good as none.
    """
    tag = tag_of(user, tag_id)
    rows = listed(user, tag, is_archive=is_archive).prefetch_related("tags").order_by("-updated_at", "-pk")
    pinned = [] if is_archive else list(rows.exclude(pinned_at=None)[:MOST_PINNED])
    others = rows.exclude(pk__in=[conversation.pk for conversation in pinned])
    rest = keys.after(before, others, "updated_at", UUID)
    found = list((others if rest is None else rest)[: PAGE + 1])
    older = keys.make(found[PAGE - 1].updated_at, found[PAGE - 1].pk) if len(found) > PAGE else ""
    return Page(_grouped(pinned if rest is None else [], found[:PAGE]), older, tag, is_archive)


def listed(user: Any, tag: Tag | None, *, is_archive: bool) -> QuerySet[Conversation]:
    """All conversations that stand in a list of a person."""
    rows = access.conversations(user).filter(archived_at__isnull=not is_archive)
    return rows.filter(tags=tag) if tag else rows


def tag_of(user: Any, tag_id: str) -> Tag | None:
    """The tag of a person with this id; None if it means nothing."""
    return Tag.objects.filter(user=user, pk=tag_id).first() if tag_id.isdecimal() and len(tag_id) < 19 else None


def tags(user: Any) -> QuerySet[Tag]:
    """The tags of a person that a conversation of theirs has."""
    return Tag.objects.filter(Exists(access.conversations(user).filter(tags=OuterRef("pk"))), user=user)


def item(conversation: Conversation) -> str:
    """The HTML of a conversation in the list."""
    return render_to_string("chat/_sidebar_item.html", {"other": conversation})


def frame(user: Any, conversation_id: UUID) -> Frame:
    """How a conversation stands now, for all tabs of its owner: listed, archived or deleted."""
    conversation = access.conversations(user).filter(pk=conversation_id).prefetch_related("tags").first()
    state = "deleted" if conversation is None else "archived" if conversation.archived_at else "listed"
    title = str(conversation or access.deleted_conversations(user).filter(pk=conversation_id).first() or "")
    return {
        "type": "conversation",
        "conversation": str(conversation_id),
        "url": reverse("conversation", args=[conversation_id]),
        "title": title,
        "state": state,
        "html": item(conversation) if conversation else "",
        "tags": render_to_string("chat/_sidebar_tags.html", {"tags": tags(user)}),
    }


def _grouped(pinned: Iterable[Conversation], others: Iterable[Conversation]) -> list[Group]:
    groups = [
        Group(PINNED, gettext_lazy("Pinned"), None, list(pinned)),
        Group("today", gettext_lazy("Today"), 0, []),
        Group("yesterday", gettext_lazy("Yesterday"), 1, []),
        Group("week", gettext_lazy("Previous 7 days"), 7, []),
        Group("older", gettext_lazy("Older"), None, []),
    ]
    today = timezone.localdate()
    for conversation in others:
        days = (today - timezone.localdate(conversation.updated_at)).days
        next(group for group in groups[1:] if group.days is None or days <= group.days).conversations.append(
            conversation
        )
    return groups


def frame_of_many(user: Any) -> Frame:
    """Many conversations have changed at once: the tabs of their owner fetch the list anew."""
    return {
        "type": "conversations",
        "tags": render_to_string("chat/_sidebar_tags.html", {"tags": tags(user)}),
    }
