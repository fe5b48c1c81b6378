"""The title of a conversation: at once the first words of its first message, and after the answer something better.

Of a long message the summariser chooses the sentence that says most of it. A title that the person gave is never
replaced, and a short message is its own best title.
"""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from chatsite.chat import feed, listing
from chatsite.chat.models import Conversation, Message, Titling
from router.strategies.explicit import message_without_command
from workers.errors import WorkerError
from workers.jobs import Job
from workers.models import Completion
from workers.prepared import prepared

logger = logging.getLogger(__name__)

LENGTH = 60
READ_CHARACTERS = 20_000  # of the message: its title is not worth more


def first_words(text: str) -> str:
    """The beginning of a message as a title, without the command that it may begin with."""
    line = " ".join((message_without_command(text).strip() or text).split())
    return line if len(line) <= LENGTH else line[:LENGTH].rsplit(" ", 1)[0] + "…"


def begin(completion: Completion, **_: Any) -> None:
    """An answer is there: if it is the first of a conversation that has only first words, ask for a title."""
    for message_id, conversation_id, title, text in _first_of_unnamed(completion.reply_id):
        if title == first_words(text):
            _ask(conversation_id, message_id)


@prepared
def _first_of_unnamed(reply_id: UUID) -> QuerySet[Message, tuple[UUID, UUID, str, str]]:
    """The message that a reply answers, if it is the first of a conversation whose title may be cut off."""
    unnamed = Message.objects.filter(parent=None, conversation__named_at=None, conversation__title__endswith="…")
    columns = unnamed.order_by().values_list("pk", "conversation_id", "conversation__title", "text")
    return columns.filter(turns=reply_id)


def _ask(conversation_id: Any, message_id: Any) -> None:
    try:
        with transaction.atomic():
            Titling.objects.create(conversation_id=conversation_id, message_id=message_id).enqueue_on_commit()
    except IntegrityError:  # it has been asked for
        logger.info("Conversation %s is being titled already", conversation_id)


def run(titling: Titling) -> None:
    """Find a title and tell all tabs; an attempt that was given up changes nothing that the next one would not."""
    title = _best_sentence(titling.message)
    conversation = titling.conversation
    if title and Conversation.objects.filter(pk=conversation.pk, named_at=None).update(title=title):
        feed.tell(conversation.user_id, listing.frame(conversation.user, conversation.pk))
    titling.close(Job.Status.DONE)


def _best_sentence(message: Message) -> str:
    """The sentence of a message, or of the text that it brings along, that says most; empty if there is none."""
    from workers.backends.extractive import summarise  # loads the encoder: only in a worker
    from workers.prompts.summarise import separate

    request = message_without_command(message.text)[:READ_CHARACTERS]
    try:
        summary = summarise(separate(request).text or request, {"sentences": 1})
    except WorkerError as error:
        logger.info("Message %s makes no title: %s", message.pk, error)
        return ""
    return first_words(summary.sentences[0].strip("#*_>-`“”\"' ").rstrip(".。"))
