"""Drafts: one for each conversation of a person and one for a new one, the same on all their devices.

The last writer wins. Other tabs are told that something is new, not what: they fetch it if nobody is typing in them.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet

from chatsite.chat import access, feed
from chatsite.chat.refusals import RefusedError
from chatsite.writing.models import Draft
from workers.commits import after_commit
from workers.prepared import prepared

MAX_BYTES = 200_000  # a longer one is kept in the browser alone


def draft(user: Any, conversation_id: Any = None) -> Draft:
    """The draft of a conversation (of a new one without an id), empty if there is none. Raises `Http404`."""
    conversation = access.conversation_or_404(user, conversation_id) if conversation_id else None
    found = _kept(user, conversation.pk if conversation else None)
    return found or Draft(user=user, conversation=conversation, revision=0)


def _kept(user: Any, conversation_id: UUID | None) -> Draft | None:
    found = _of_one(user.pk, conversation_id) if conversation_id else _of_a_new_one(user.pk)
    return found[0] if found else None


@prepared
def _of_one(user_id: Any, conversation_id: UUID) -> QuerySet[Draft]:
    return Draft.objects.filter(user=user_id, conversation=conversation_id)


@prepared
def _of_a_new_one(user_id: Any) -> QuerySet[Draft]:
    return Draft.objects.filter(user=user_id, conversation=None)


def keep(user: Any, *, conversation_id: Any = None, text: str, pasted: list[str], tab: str) -> int:
    """Keep what a tab has in its composer; gives the revision. Raises `RefusedError` if it is too long, `Http404`."""
    text = _storable(text)
    pasted = list(filter(None, map(_storable, pasted)))
    if len(text.encode()) + sum(len(one.encode()) for one in pasted) > MAX_BYTES:
        raise RefusedError("draft_too_long")
    known = draft(user, conversation_id)
    if (known.text, known.pasted) == (text, pasted):
        return known.revision
    theirs = Draft.objects.filter(user=user, conversation=known.conversation)
    fresh = {"text": text, "pasted": pasted}
    try:
        with transaction.atomic():
            if not theirs.update(**fresh, revision=F("revision") + 1):
                Draft.objects.create(user=user, conversation=known.conversation, **fresh)
    except IntegrityError:  # another tab, at the same moment
        theirs.update(**fresh, revision=F("revision") + 1)
    kept = theirs.get()
    _tell(user, kept.conversation_id, kept.revision, tab)
    return kept.revision


def touch(user: Any, conversation_id: UUID | None, tab: str) -> None:
    """What stands beside the text has changed: tell the other tabs when the transaction commits."""
    theirs = Draft.objects.filter(user=user, conversation=conversation_id)
    try:
        with transaction.atomic():
            if not theirs.update(revision=F("revision") + 1):
                Draft.objects.create(user=user, conversation_id=conversation_id)
    except IntegrityError:  # another tab, at the same moment
        theirs.update(revision=F("revision") + 1)
    revision = theirs.values_list("revision", flat=True).get()
    after_commit(_tell, user, conversation_id, revision, tab)


def clear(user: Any, conversation_id: UUID | None, sent: str, has_files: bool = False) -> None:
    """A message has been sent: call it in the transaction that saves it.

    What stands in the draft is no draft any more if it is that text, or the beginning of it that was kept last; it may
    be the next one, as while a message waits for an answer. Its files are gone from there in any case.
    """
    kept = _kept(user, conversation_id)
    if kept is None:
        return
    is_sent = bool(kept.whole) and sent.startswith(kept.whole)
    if is_sent or has_files:
        emptied = {"text": "", "pasted": []} if is_sent else {}
        Draft.objects.filter(pk=kept.pk).update(revision=F("revision") + 1, **emptied)
        after_commit(_tell, user, conversation_id, kept.revision + 1, "")


def _storable(text: str) -> str:
    """`text` without what a database cannot hold: lone surrogates and NUL."""
    return text.replace("\r\n", "\n").replace("\0", "").encode("utf-8", "ignore").decode()


def _tell(user: Any, conversation_id: UUID | None, revision: int, tab: str) -> None:
    conversation = str(conversation_id) if conversation_id else ""
    feed.tell(user.pk, {"type": "draft", "conversation": conversation, "revision": revision, "tab": tab})
