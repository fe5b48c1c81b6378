"""What a person may see and use.

These are the only ways to fetch a conversation or a reply by id: with the person who asks. What belongs to somebody
else does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, Group
from django.db.models import Q, QuerySet
from django.http import Http404

from chatsite.chat.models import Conversation, Message, Turn
from router.policy import RouteSpec, permitted
from router.revisions import Content, content
from router.running import running
from workers.jobs import Job
from workers.models import Model
from workers.prepared import prepared

Person = AbstractBaseUser | AnonymousUser


def conversations(user: Person) -> QuerySet[Conversation]:
    """The person's conversations, newest first, without those that they have deleted."""
    return _owned(user).filter(deleted_at=None)


def deleted_conversations(user: Person) -> QuerySet[Conversation]:
    """Those whose deletion can still be undone."""
    return _owned(user).exclude(deleted_at=None)


def _owned(user: Person) -> QuerySet[Conversation]:
    return Conversation.objects.filter(user_id=user.pk) if user.is_authenticated else Conversation.objects.none()


def conversation_or_404(user: Person, conversation_id: Any) -> Conversation:
    """Raises `Http404` for an id that is malformed, unknown, somebody else's, or that of a deleted one."""
    return _one_of(conversations(user), conversation_id)


def deleted_conversation_or_404(user: Person, conversation_id: Any) -> Conversation:
    """Raises `Http404` unless the person has deleted it a moment ago."""
    return _one_of(deleted_conversations(user), conversation_id)


def _one_of(rows: QuerySet[Conversation], conversation_id: Any) -> Conversation:
    found = rows.filter(pk=_uuid(conversation_id)).first()
    if found is None:
        raise Http404("No such conversation.")
    return found


def message_or_404(user: Person, message_id: Any) -> Message:
    """A message or a reply. Raises `Http404` for an id that is malformed, unknown or somebody else's."""
    messages = Message.objects.select_related("conversation")
    found = messages.filter(pk=_uuid(message_id), conversation__in=conversations(user)).first()
    if found is None:
        raise Http404("No such message.")
    return found


def own_message_or_404(user: Person, message_id: Any) -> Message:
    """A message that the person wrote. Raises `Http404` as `message_or_404` does, and for a reply."""
    message = message_or_404(user, message_id)
    if message.role != Message.Role.USER:
        raise Http404("That is an answer.")
    return message


def reply_or_404(user: Person, reply_id: Any) -> Turn:
    """The turn of a reply. Raises `Http404` for an id that is malformed, unknown or somebody else's."""
    turns = Turn.objects.select_related(
        "completion__model", "completion__answered_by", "decision__revision", "reply", "message", "conversation"
    ).defer("decision__revision__snapshot")
    found = turns.filter(pk=_uuid(reply_id), conversation__in=conversations(user)).first()
    if found is None:
        raise Http404("No such reply.")
    return found


def whether_open_or_404(user: Person, reply_id: Any) -> tuple[UUID, bool]:
    """The id of a reply, and whether it is still being written. Raises `Http404` as `reply_or_404` does."""
    turns = Turn.objects.filter(pk=_uuid(reply_id), conversation__in=conversations(user))
    found = turns.values_list("pk", "status", "completion__status").first()
    if found is None:
        raise Http404("No such reply.")
    pk, routing, answering = found
    return pk, (answering or routing) in Job.OPEN


def groups_of(user: Any) -> frozenset[int]:
    """The numbers of the groups whose routes and models the person may use: all of them for a superuser."""
    if user.is_superuser:
        return frozenset(Group.objects.values_list("pk", flat=True))
    return frozenset(_joined(user.pk))


@prepared
def _joined(user_id: Any) -> QuerySet[Group, int]:
    return Group.objects.filter(user=user_id).order_by().values_list("pk", flat=True)


def models(groups: frozenset[int]) -> QuerySet[Model]:
    """The models that somebody in these groups may use, whether they are switched on or not."""
    return Model.objects.filter(Q(groups=None) | Q(groups__in=groups)).distinct()


def usable_models(groups: frozenset[int]) -> QuerySet[Model]:
    """The models that can answer somebody in these groups now."""
    return models(groups).filter(is_enabled=True, provider__is_enabled=True)


def route_titles(user: Any, conversation_id: Any = None) -> dict[str, str]:
    """The titles of the routes that the person may use in a conversation, by name, in their order.

    They are those of the live revision, or of the canary if the conversation belongs to it.
    """
    return offer(groups_of(user), conversation_id).titles


@dataclass(frozen=True)
class Offer:
    """The routes that a person may use in a conversation, in their order, and those that they must not hear of."""

    routes: tuple[RouteSpec, ...]
    hidden: frozenset[str]

    @property
    def titles(self) -> dict[str, str]:
        return {route.name: route.title for route in self.routes}

    def models(self, names: Mapping[int, str]) -> dict[str, dict[int, str]]:
        """Of these models, those of each route by number, in its order of preference."""
        return {route.name: {pk: names[pk] for pk in route.model_ids if pk in names} for route in self.routes}


def offer(groups: frozenset[int], conversation_id: Any = None) -> Offer:
    """What there is for somebody in these groups, as the policy that decides in this conversation says."""
    now = running()
    return offer_of(content(*now.key_for(conversation_id)) if now else Content(), groups)


def offer_of(says: Content, groups: frozenset[int]) -> Offer:
    """What there would be for somebody in these groups if this revision were to decide."""
    usable = permitted(says.routes, says.model_groups, groups)
    return Offer(usable, frozenset(says.titles) - {route.name for route in usable})


def model_names(groups: frozenset[int]) -> dict[int, str]:
    """The names of the models that can answer somebody in these groups now, by number."""
    return dict(usable_models(groups).order_by().values_list("pk", "name"))


def _uuid(value: Any) -> UUID:
    try:
        return value if isinstance(value, UUID) else UUID(str(value))
    except ValueError:
        raise Http404("No such id.") from None
