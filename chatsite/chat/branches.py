"""Which of a conversation's alternatives are shown: the branch from its first message to its leaf.

A message can have several answers and several wordings, as siblings in a tree. The conversation keeps where the branch
that is shown ends, so that it is the same in every tab and after a year; a new message goes there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404

from chatsite.chat import access, feed
from chatsite.chat.frames import Frame
from chatsite.chat.models import Conversation, Message, Turn
from workers.prepared import prepared


@dataclass(frozen=True)
class Place:
    """Where a message stands among its alternatives, and the ones before and after it."""

    number: int
    count: int
    previous: UUID | None
    next: UUID | None


class Tree:
    """The ids of a conversation's messages, each with those that follow it, oldest first. One query."""

    def __init__(self, conversation: Conversation) -> None:
        rows = list(conversation.messages.order_by("created_at").values_list("pk", "parent_id"))
        self._parents = dict(rows)
        self._children: dict[UUID | None, list[UUID]] = {}
        for pk, parent_id in rows:
            self._children.setdefault(parent_id, []).append(pk)
        self.leaf = conversation.leaf_id or (self.end_of(rows[-1][0]) if rows else None)
        self._beside = conversation.beside_id

    def branch(self) -> list[UUID]:
        """The messages that are shown, oldest first; the last two answer the same message if they are compared."""
        return self.path_to(self.leaf) + ([self._beside] if self._beside else [])

    def path_to(self, pk: UUID | None) -> list[UUID]:
        """A message after all that it follows, oldest first."""
        path = []
        while pk:
            path.append(pk)
            pk = self._parents[pk]
        return path[::-1]

    def end_of(self, pk: UUID) -> UUID:
        """Where the conversation went on from a message: to the newest of what follows it, and so on."""
        while pk in self._children:
            pk = self._children[pk][-1]
        return pk

    def place_of(self, pk: UUID) -> Place:
        """Where a message stands among its alternatives."""
        return place_among(self._children[self._parents[pk]], pk)


def place_among(siblings: list[UUID], pk: UUID) -> Place:
    """Where a message stands among all that follow the same message, itself included, oldest first."""
    index = siblings.index(pk)
    return Place(
        number=index + 1,
        count=len(siblings),
        previous=siblings[index - 1] if index else None,
        next=siblings[index + 1] if index + 1 < len(siblings) else None,
    )


def place_of(message: Message) -> Place:
    """Where a message stands among its alternatives. One query."""
    siblings = _following(message.parent_id) if message.parent_id else _beginning(message.conversation_id)
    return place_among(siblings, message.pk)


@prepared
def _following(parent_id: UUID) -> QuerySet[Message, UUID]:
    return Message.objects.filter(parent=parent_id).order_by("created_at").values_list("pk", flat=True)


@prepared
def _beginning(conversation_id: UUID) -> QuerySet[Message, UUID]:
    firsts = Message.objects.filter(conversation=conversation_id, parent=None)
    return firsts.order_by("created_at").values_list("pk", flat=True)


def compared_with(conversation: Conversation, pk: UUID) -> UUID | None:
    """The answer beside which this one stands, until one of them is kept."""
    first, second = conversation.leaf_id, conversation.beside_id
    return {first: second, second: first}.get(pk) if second else None


def leaf_of(conversation: Conversation, *, to_follow: bool = False) -> UUID | None:
    """What a new message follows, as the database says now; None in an empty conversation.

    `to_follow`, in a transaction: whoever else wants to follow it waits until that ends.
    """
    rows = Conversation.objects.filter(pk=conversation.pk)
    if to_follow:
        rows = rows.select_for_update(no_key=True)
    leaf = rows.values_list("leaf", flat=True).first()
    return leaf or conversation.messages.order_by("-created_at").values_list("pk", flat=True).first()


def is_being_answered(conversation: Conversation) -> bool:
    """Whether an answer on the branch that is shown is still being written, as the database says now."""
    being_written = set(Turn.unanswered().filter(conversation=conversation).values_list("pk", flat=True))
    if not being_written:
        return False
    conversation.refresh_from_db(fields=["leaf", "beside"])
    return not being_written.isdisjoint(Tree(conversation).branch())


def show(conversation: Conversation, leaf: UUID, beside: UUID | None = None, **facts: Any) -> None:
    """From now on, show the branch that ends at `leaf`, with the answer `beside` it if two are to be compared.

    `facts` are other fields to be saved with it. Raises `Http404` if the conversation has been deleted meanwhile.
    """
    fields = {"leaf_id": leaf, "beside_id": beside, **facts}
    if not Conversation.objects.filter(pk=conversation.pk, deleted_at=None).update(**fields):
        raise Http404("The conversation has been deleted.")
    for name, value in fields.items():
        setattr(conversation, name, value)


def frame(conversation: Conversation) -> Frame:
    """What tabs are told when another branch is shown: those that show the conversation fetch its page."""
    return {"type": "branch", "conversation": str(conversation.pk)}


def tell(conversation: Conversation) -> None:
    """Tell all tabs of the person that another branch is shown."""
    feed.tell(conversation.user_id, frame(conversation))


def choose(user: Any, *, message_id: Any) -> Message:
    """Show the branch of a message in all tabs of the person, up to the newest that came of it.

    Of two answers that are compared, this one is kept. Otherwise, a message that is shown already changes nothing.
    Raises `Http404`.
    """
    message = access.message_or_404(user, message_id)
    tree = Tree(message.conversation)
    if message.pk not in tree.branch() or compared_with(message.conversation, message.pk):
        with transaction.atomic():
            leaf_of(message.conversation, to_follow=True)  # what another tab sends is there by now, or waits
            show(message.conversation, Tree(message.conversation).end_of(message.pk))
        tell(message.conversation)
    return message
