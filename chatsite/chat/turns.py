"""What a person can do to a conversation: send a message, change its words, have it answered again, stop an answer.

A message and its queued turn are saved in one transaction, and the turn is handed to the queue when that commits.
Everything after that happens in `chatsite.chat.answering`, in a worker.
"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from uuid import UUID, uuid5

import redis
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext

from chatsite.chat import access, branches, titling
from chatsite.chat.admission import admit, expected, known_refusal
from chatsite.chat.models import Conversation, Message, Turn
from chatsite.chat.refusals import RefusedError
from chatsite.documents import attachments
from chatsite.writing import drafts
from workers import stream, tracing
from workers.connections import cancel_key, client
from workers.events import Kind
from workers.jobs import Job, ended
from workers.line import Expected
from workers.logs import about
from workers.models import Completion

logger = logging.getLogger(__name__)


def refuse_if_full(user: Any, client_id: UUID | None, since: float = 0.0) -> None:
    """Raise the `BusyError` that others have just been told, unless the message has been accepted already.

    To be asked before `submit`, where nobody has to wait for those who are let in: it costs next to nothing. And by
    those who did have to wait: whether others have been told that `since` they came (by the monotonic clock).
    """
    if (refusal := known_refusal(user, since)) and not _sent_before(user, client_id):
        raise refusal


def submit(
    user: Any,
    *,
    text: str,
    conversation_id: Any = None,
    client_id: UUID | None = None,
    wanted_route: str = "",
    files: Sequence[Any] = (),
    waits: bool = False,
) -> Turn:
    """Save a message at the end of a conversation (a new one without an id) and queue the turn that answers it.

    `files` are the ids of the person's attachments; with one that can be read, the text may be empty. A `client_id`
    that the person has used before gives the turn that exists. One that `waits` is refused while an answer on its
    branch is being written. Raises `RefusedError` if the text, a file or the route will not do, `BusyError` if too much
    is open already, `Http404` for a conversation that is not the person's.
    """
    text = clean(text, may_be_empty=bool(files))
    conversation = access.conversation_or_404(user, conversation_id) if conversation_id else None
    _check_route(user, wanted_route, text, conversation and conversation.pk)

    def at_the_end() -> Message:
        leaf = branches.leaf_of(conversation, to_follow=True) if conversation else None
        if waits and conversation and branches.is_being_answered(conversation):
            raise RefusedError("still_answering")
        sent = attachments.sendable(user, files)
        if not (text or sent):
            raise RefusedError("unreadable_files")
        drafts.clear(user, conversation.pk if conversation else None, text, has_files=bool(sent))
        within = conversation
        if within is None:
            title = titling.first_words(" · ".join(filter(None, [text, attachments.names(sent)])))
            within = Conversation.objects.create(user=user, title=title)
        message = Message.objects.create(
            **_by(user, client_id), conversation=within, parent_id=leaf, text=text, attachment_count=len(sent)
        )
        attachments.attach(user, sent, message)
        return message

    return _save_once(user, client_id, at_the_end, wanted_route)


def edit(user: Any, *, message_id: Any, text: str, client_id: UUID | None = None) -> Turn:
    """Save a message in other words beside what it was, and queue the turn that answers it.

    What it was, and all that followed it, is kept as another branch; its files come along. A route that was wished for
    is wished for again.
    Raises `RefusedError`, `BusyError`, or `Http404` for what is not a message of the person's own.
    """
    former = access.own_message_or_404(user, message_id)
    text = clean(text, may_be_empty=former.attachment_count > 0)
    wanted_route = "" if _command(text) else _wish(user, former)
    _check_route(user, wanted_route, text, former.conversation_id)

    def beside() -> Message:
        where = {"conversation": former.conversation, "parent_id": former.parent_id}
        count = former.attachment_count
        message = Message.objects.create(**_by(user, client_id), **where, text=text, attachment_count=count)
        attachments.carry_over(former, message)
        return message

    return _save_once(user, client_id, beside, wanted_route)


def continue_answer(user: Any, *, reply_id: Any) -> Turn:
    """Send a message that asks for the rest of an answer which its model cut short, by the same route.

    Asking twice sends it once, and shows it again. Raises as `submit` does, and `Http404` for a reply that is whole, or
    not the person's.
    """
    turn = access.reply_or_404(user, reply_id)
    if not (turn.completion and turn.completion.was_cut_short):
        raise Http404("Nothing of it is missing.")
    more = submit(
        user,
        text=gettext("Continue where you stopped."),
        conversation_id=turn.conversation_id,
        client_id=uuid5(turn.pk, "continue"),
        wanted_route=_usable(user, turn.decision.route if turn.decision else "", turn),
        waits=True,
    )
    branches.choose(user, message_id=more.pk)
    return more


def again(user: Any, *, reply_id: Any, wanted_route: str = "", wanted_model: str = "") -> Turn:
    """Queue another answer to the message of an existing one, and show it.

    It comes by a route, or by the model of the same route with this number; without either, what was wished for of the
    existing one is wished for again. Raises `RefusedError`, `BusyError` or `Http404`.
    """
    turn = access.reply_or_404(user, reply_id)
    if wanted_model:
        route, model = model_beside(user, turn, wanted_model)
        return another(user, turn, wanted_route=route, wanted_model=model)
    route = wanted_route or _still(user, turn)
    still_wanted = turn.wanted_model_id if route and not wanted_route else None  # it was chosen of that route
    return another(user, turn, wanted_route=route, wanted_model=still_wanted)


def model_beside(user: Any, turn: Turn, number: str) -> tuple[str, int]:
    """The route of an answer, and of its models the one with this number, if the person may have it answer.

    Raises `RefusedError`, or `Http404` for what came by no route.
    """
    if turn.decision is None:
        raise Http404("It came by no route.")
    model = int(number) if number.isascii() and number.isdigit() and len(number) < 18 else 0
    groups = access.groups_of(user)
    usable = access.offer(groups, turn.conversation_id).models(access.model_names(groups))
    if model not in usable.get(turn.decision.route, {}):
        raise RefusedError("model_gone")
    return turn.decision.route, model


def another(
    user: Any,
    turn: Turn,
    *,
    wanted_route: str,
    wanted_model: int | None = None,
    is_compared: bool = False,
    to_meet: Expected | None = None,
) -> Turn:
    """Queue another answer, to be shown instead of that of `turn`, or beside it. Raises as `again` does.

    The caller has checked that `turn` is the person's. In a transaction, it has asked before that what is `to_meet`.
    """
    _check_route(user, wanted_route, "", turn.conversation_id)
    to_meet = to_meet or expected()
    with transaction.atomic():
        message = Message.objects.select_for_update().get(pk=turn.message_id)  # a double click asks once
        if any(sibling.answer.is_open for sibling in message.turns.select_related("completion")):
            raise RefusedError("still_answering")
        beside = turn.pk if is_compared else None
        return _queue_turn(message, wanted_route, wanted_model, beside=beside, to_meet=to_meet)


def stop(user: Any, *, reply_id: Any) -> Turn:
    """Stop an answer: what waits is closed here, what runs is told to stop. Stopping twice does nothing.

    Raises `redis.RedisError` if whoever writes it cannot be told, and `Http404`.
    """
    _stop(access.reply_or_404(user, reply_id))
    return access.reply_or_404(user, reply_id)


def stop_all(conversations: QuerySet[Conversation]) -> None:
    """Stop whatever is being answered in these conversations, deleted ones too."""
    for turn in Turn.unanswered().filter(conversation__in=conversations):
        try:
            _stop(turn)
        except redis.RedisError as error:
            logger.warning("The wish to stop is in the database only: %s", error, extra={"reply_id": turn.pk})


def _stop(turn: Turn) -> None:
    has_ended = _stop_job(turn, turn)
    # Only now, as it may have been decided in the meantime; what still decides finds out at its end.
    for completion in Completion.with_queues(Completion.objects.filter(reply_id=turn.pk)):
        has_ended = _stop_job(turn, completion)
    if not has_ended:
        client().set(cancel_key(turn.pk), 1, ex=3600)


def _stop_job(turn: Turn, job: Job) -> bool:
    """Whether it has ended by now."""
    if job.cancel_waiting():
        _tell_cancelled(turn, job)
    elif job.is_open:
        running = type(job)._default_manager.filter(pk=job.pk, status=Job.Status.RUNNING)
        running.update(cancel_requested_at=timezone.now())
    return not job.is_open


def _tell_cancelled(turn: Turn, job: Job) -> None:
    attempt = job.attempt if isinstance(job, Completion) else 0
    try:
        stream.append(turn.pk, attempt, Kind.CANCELLED, {"length": len(job.text_left)}, job.text_left)
    except redis.RedisError as error:
        logger.warning("The end is in the database only: %s", error, extra={"reply_id": turn.pk})
    transaction.on_commit(partial(ended.send_robust, sender=type(job), job=job))


def _save_once(user: Any, client_id: UUID | None, make: Callable[[], Message], wanted_route: str) -> Turn:
    """Queue the turn of the message that `make` saves; or give the turn of the same `client_id`."""
    to_meet = expected()
    try:
        with transaction.atomic():
            return _queue_turn(make(), wanted_route, to_meet=to_meet)
    except (IntegrityError, RefusedError):  # the client id is taken, the files are sent, or it is one too many
        if earlier := _sent_before(user, client_id):
            return earlier
        raise


def _by(user: Any, client_id: UUID | None) -> dict[str, Any]:
    """Whose message it is."""
    return {"role": Message.Role.USER, "user": user, "client_id": client_id}


def _wish(user: Any, message: Message) -> str:
    """The route that a message was sent with, if the person may still use it."""
    first = message.turns.order_by("queued_at").first()
    return _still(user, first) if first else ""


def _still(user: Any, turn: Turn) -> str:
    """The route that was wished for, if the person may still use it."""
    return _usable(user, turn.wanted_route, turn)


def _usable(user: Any, route: str, turn: Turn) -> str:
    return route if route in access.route_titles(user, turn.conversation_id) else ""


def _queue_turn(
    message: Message,
    wanted_route: str,
    wanted_model: int | None = None,
    *,
    beside: UUID | None = None,
    to_meet: Expected,
) -> Turn:
    """Queue an answer and show it: at the end of its branch, or `beside` another answer. Raises `BusyError`.

    Whether it is let in is the last question: whoever asks it keeps all others from asking until they are saved.
    """
    conversation = message.conversation
    reply = Message.objects.create(conversation=conversation, parent=message, role=Message.Role.ASSISTANT)
    turn = Turn.objects.create(
        reply=reply,
        message=message,
        conversation=conversation,
        wanted_route=wanted_route,
        wanted_model_id=wanted_model,
        person_id=conversation.user_id,
    )
    leaf, second = (beside, reply.pk) if beside else (reply.pk, None)
    branches.show(conversation, leaf, second, updated_at=timezone.now(), archived_at=None)
    others = admit(conversation.user_id, to_meet)
    turn.enqueue_on_commit(is_their_only=not others)
    tracing.makes(turn.pk)
    with about(reply_id=turn.pk):
        logger.info("A message of conversation %s is accepted", conversation.pk)
    return turn


def _sent_before(user: Any, client_id: UUID | None) -> Turn | None:
    if client_id is None:
        return None
    return Turn.objects.filter(message__user=user, message__client_id=client_id).order_by("queued_at").first()


def clean(text: str, may_be_empty: bool = False) -> str:
    """The text without what no message needs (control characters, invisible tags). Raises `RefusedError`."""
    check_size(text)
    text = "".join(filter(_is_kept, text.replace("\r\n", "\n"))).strip()
    if not (text or may_be_empty):
        raise RefusedError("empty")
    return text


def check_size(text: str) -> None:
    """Raises `RefusedError` for a text that is longer than any message may be."""
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > settings.MESSAGE_MAX_BYTES:
        raise RefusedError("too_long", size=size, limit=settings.MESSAGE_MAX_BYTES)


def _is_kept(character: str) -> bool:
    if character in "\n\t":
        return True
    # Surrogates cannot be stored; tags (U+E0000 to U+E007F) hide instructions from the reader's eyes.
    return unicodedata.category(character) not in ("Cc", "Cs") and not 0xE0000 <= ord(character) <= 0xE007F


def check_offered(user: Any, route: str, conversation_id: Any) -> None:
    """Raises `RefusedError` for a route that the person may not use in a conversation, or that does not exist."""
    if route not in (names := access.route_titles(user, conversation_id)):
        raise RefusedError("unknown_route", route=route[:40], routes=", ".join(f"/{name}" for name in names))


def _check_route(user: Any, wanted_route: str, text: str, conversation_id: Any) -> None:
    if wanted := wanted_route or _command(text):
        check_offered(user, wanted, conversation_id)


def _command(text: str) -> str:
    from router.strategies.explicit import command

    return command(text)
