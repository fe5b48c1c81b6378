"""What a person does to many conversations at once; each change is one moment, by which it can be undone.

Every tab of the person hears of it once, however many they are (`listing.frame_of_many`).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.db.models import Count, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from chatsite.chat import access, feed, listing, turns
from chatsite.chat.conversations import MOST_TAGS, tags_of
from chatsite.chat.models import Conversation
from chatsite.chat.refusals import RefusedError
from workers.commits import after_commit

Chosen = QuerySet[Conversation]
_Tagging = Conversation.tags.through


def archive(user: Any, chosen: Chosen, *, is_archived: bool) -> datetime:
    """Put conversations out of the list, or back into it. Gives the moment at which that was done."""
    now = timezone.now()
    with transaction.atomic():
        _held(chosen.filter(archived_at__isnull=is_archived)).update(archived_at=now if is_archived else None)
        _tell(user)
    return now


def delete(user: Any, chosen: Chosen) -> datetime:
    """Delete conversations, and stop what is being answered in them. Gives the moment at which that was done."""
    now = timezone.now()
    with transaction.atomic():
        _held(chosen).update(deleted_at=now)
        _tell(user)
    turns.stop_all(deleted_at(user, now))  # by then `chosen` may have what another tab has begun
    return now


def tag(user: Any, chosen: Chosen, names: list[str]) -> None:
    """Give conversations these tags besides those that they have. Raises `RefusedError` if they are too many."""
    with transaction.atomic():
        added = tags_of(user, names)
        pairs = [_Tagging(conversation_id=pk, tag=one) for pk in chosen.values_list("pk", flat=True) for one in added]
        _Tagging.objects.bulk_create(pairs, ignore_conflicts=True)
        if chosen.annotate(tag_count=Count("tags")).filter(tag_count__gt=MOST_TAGS).exists():
            raise RefusedError("too_many_tags", most=MOST_TAGS)
        _tell(user)


def deleted_at(user: Any, moment: datetime) -> Chosen:
    """Those that were deleted at a moment, as far as that can be undone."""
    return access.deleted_conversations(user).filter(deleted_at=moment)


def archived_at(user: Any, moment: datetime) -> Chosen:
    """Those that were archived at a moment."""
    return access.conversations(user).filter(archived_at=moment)


def restore(user: Any, moment: datetime) -> None:
    """Undo what was deleted or archived at a moment."""
    with transaction.atomic():
        _held(deleted_at(user, moment)).update(deleted_at=None)
        _held(archived_at(user, moment)).update(archived_at=None)
        _tell(user)


def undoable(user: Any, moment: datetime | None) -> dict[str, Any]:
    """What a page is to offer to undo: how many were deleted or archived at a moment."""
    if moment is None:
        return {}
    deleted, archived = deleted_at(user, moment).count(), archived_at(user, moment).count()
    return {"undo": moment.isoformat(), "deleted_count": deleted, "archived_count": archived}


def moment_of(text: str) -> datetime | None:
    """The moment that an address or a form names; None if it means nothing."""
    try:
        moment = parse_datetime(text)
        return moment.astimezone(UTC) if moment and moment.tzinfo else None
    except (ValueError, OverflowError):  # it is no moment, or none of the years 1 to 9999
        return None


def _held(chosen: Chosen) -> Chosen:
    """These, held until the transaction ends, in an order that is always the same: no two tabs wait for each other."""
    in_order = chosen.order_by("pk").select_for_update(no_key=True, of=("self",))
    return Conversation.objects.filter(pk__in=[conversation.pk for conversation in in_order.only("pk")])


def _tell(user: Any) -> None:
    after_commit(_tell_now, user)


def _tell_now(user: Any) -> None:
    feed.tell(user.pk, listing.frame_of_many(user))
