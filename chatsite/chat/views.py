"""The pages of the chat. They work without a script; scripts make them live."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template import loader
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from chatsite.accounts.first_steps import first_steps
from chatsite.chat import (
    access,
    branches,
    comparing,
    conversations,
    corrections,
    feed,
    listing,
    news,
    presenting,
    turns,
    windows,
)
from chatsite.chat.conversation_views import just_deleted
from chatsite.chat.models import Conversation, Message, Turn
from chatsite.chat.numbers import size
from chatsite.chat.refusals import BusyError, RefusedError
from chatsite.chat.shortcuts import SHORTCUTS
from chatsite.chat.starters import STARTERS, starter_text
from chatsite.documents import attachments
from chatsite.documents.kinds import ACCEPTED, clean_name
from chatsite.documents.shown import chips
from chatsite.operations.requests import HEADER
from chatsite.writing import drafts


@login_required
@require_http_methods(["GET", "POST"])
def new_conversation(request: HttpRequest) -> HttpResponse:
    """An empty chat; a message posted to it begins a conversation."""
    return _chat(request, None)


@login_required
@require_http_methods(["GET", "POST"])
def conversation(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """A conversation; a message posted to it goes at its end. With `at`, the branch of that message is shown."""
    found = access.conversation_or_404(request.user, conversation_id)
    if at := request.GET.get("at"):
        return _at(branches.choose(request.user, message_id=at))
    # What a script fetches may be shown to nobody; it says by itself what is looked at. What a browser says of how it
    # fetches would not do: it says that to HTTPS only.
    if found.ready_at and request.headers.get("X-Script") != "1":
        conversations.see(request.user, conversation_id=found.pk)
        found.ready_at = None
    return _chat(request, found)


@login_required
@require_safe
def earlier(request: HttpRequest, conversation_id: UUID, message_id: UUID) -> HttpResponse:
    """The messages before one, for a page that has been scrolled up to it."""
    conversation = access.conversation_or_404(request.user, conversation_id)
    window = windows.before(presenting.branch(conversation), message_id)
    shown = presenting.entries(conversation, window.ids)
    return render(request, "chat/_messages.html", {"conversation": conversation, "window": window, "entries": shown})


@login_required
@require_POST
def choose(request: HttpRequest, message_id: UUID) -> HttpResponse:
    """Show the branch of a message."""
    return _at(branches.choose(request.user, message_id=message_id))


@login_required
@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, message_id: UUID) -> HttpResponse:
    """A message in a form, to be sent in other words. Scripts put the form where the message is."""
    message = access.own_message_or_404(request.user, message_id)
    if request.method == "GET":
        return _edit_page(request, message, text=message.text, client_id=uuid4())
    text, client_id = request.POST.get("text", ""), request.POST.get("client_id", "")
    try:
        turns.refuse_if_full(request.user, _uuid(client_id))
        turn = turns.edit(request.user, message_id=message.pk, text=text, client_id=_uuid(client_id))
    except RefusedError as error:
        return _edit_page(request, message, error, text=text, client_id=client_id)
    return _tell(request, turn, with_message=True)


@login_required
@require_POST
def stop(request: HttpRequest, reply_id: UUID) -> HttpResponse:
    """Stop an answer."""
    return _back_to(turns.stop(request.user, reply_id=reply_id))


def _asking(view: Callable[[HttpRequest, UUID], HttpResponse]) -> Callable[[HttpRequest, UUID], HttpResponse]:
    """A form at a reply that asks for another answer. What is refused is said on the page of its conversation."""

    @wraps(view)
    def ask(request: HttpRequest, reply_id: UUID) -> HttpResponse:
        turn = access.reply_or_404(request.user, reply_id)
        try:
            turns.refuse_if_full(request.user, None)
            return view(request, reply_id)
        except RefusedError as error:
            return _page(request, turn.conversation, error)

    return ask


@login_required
@require_POST
@_asking
def again(request: HttpRequest, reply_id: UUID) -> HttpResponse:
    """Have a message answered again."""
    new = turns.again(request.user, reply_id=reply_id, **_another_answer(request))
    return _tell(request, new, with_message=False)


@login_required
@require_POST
@_asking
def continue_answer(request: HttpRequest, reply_id: UUID) -> HttpResponse:
    """Have the rest of an answer that was cut short."""
    return _tell(request, turns.continue_answer(request.user, reply_id=reply_id), with_message=True)


@login_required
@require_POST
@_asking
def compare(request: HttpRequest, reply_id: UUID) -> HttpResponse:
    """Have a message answered beside an answer, by another route or model."""
    return _at(comparing.compare(request.user, reply_id=reply_id, **_another_answer(request)).reply)


@login_required
@require_POST
@_asking
def correct(request: HttpRequest, reply_id: UUID) -> HttpResponse:
    """File that an answer came by the wrong route, and have the message answered by another one."""
    corrected = corrections.correct(request.user, reply_id=reply_id, wanted_route=request.POST.get("route", ""))
    if corrected.text:
        messages.info(request, corrected.text)
    return _tell(request, corrected.turn, with_message=False)


@login_required
@require_safe
def reply_text(request: HttpRequest, reply_id: UUID) -> HttpResponse:
    """An answer as the model wrote it, to be copied."""
    completion = access.reply_or_404(request.user, reply_id).completion
    return HttpResponse(completion.text if completion else "", content_type="text/plain; charset=utf-8")


@login_required
@require_safe
def shortcuts(request: HttpRequest) -> HttpResponse:
    """What the keyboard can do."""
    return render(request, "chat/shortcuts.html", {"shortcuts": SHORTCUTS})


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What could not be read, with its own words for what is too big."""
    if isinstance(exception, RequestDataTooBig):
        return render(request, "413.html", {"limit": size(settings.MESSAGE_MAX_BYTES)}, status=413)
    return render(request, "400.html", status=400)


def server_error(request: HttpRequest) -> HttpResponse:
    """What broke on our side, with the id that its lines in the log have."""
    page = loader.get_template("500.html").render({"request_id": getattr(request, "request_id", "")})
    return HttpResponse(page, status=500)


def _chat(request: HttpRequest, conversation: Conversation | None) -> HttpResponse:
    if request.method == "GET":
        return _page(request, conversation, draft=starter_text(request.GET.get("try", "")))
    text, route, client_id = (request.POST.get(name, "") for name in ("text", "route", "client_id"))
    try:
        turns.refuse_if_full(request.user, _uuid(client_id))
        files = _files(request, conversation)
        turn = turns.submit(
            request.user,
            text=text,
            conversation_id=conversation and conversation.pk,
            client_id=_uuid(client_id),
            wanted_route=route,
            files=files,
        )
    except RefusedError as error:
        return _page(request, conversation, error, draft=text, route=route, client_id=client_id)
    return _tell(request, turn, with_message=True)


def _files(request: HttpRequest, conversation: Conversation | None) -> list[str]:
    """The ids of the files of a posted message: those that were there, and those that come with it.

    Raises `RefusedError` if one will not do, which names it; the others are kept in the draft.
    """
    ids, refused = request.POST.getlist("files"), []
    for file in request.FILES.getlist("new_files"):
        try:
            added = attachments.add(request.user, file, conversation_id=conversation and conversation.pk)
            ids.append(str(added.pk))
        except RefusedError as error:
            refused.append(f"{clean_name(file.name or '')}: {error.text}")
    if refused:
        raise RefusedError("files_refused", files=" ".join(refused))
    return ids


def _another_answer(request: HttpRequest) -> dict[str, str]:
    """By what another answer is wished for."""
    return {"wanted_route": request.POST.get("route", ""), "wanted_model": request.POST.get("model", "")}


def _uuid(value: str) -> UUID | None:
    try:
        return UUID(value)
    except ValueError:
        return None


def _edit_page(request: HttpRequest, message: Message, error: RefusedError | None = None, **form: Any) -> HttpResponse:
    limit = settings.MESSAGE_MAX_BYTES
    context = {"message": message, "limit": limit, "limit_in_words": size(limit), "error": error and error.text, **form}
    return _refusing(render(request, "chat/edit.html", context, status=error.status if error else 200), error)


def _at(message: Message) -> HttpResponse:
    """To a message on its conversation's page."""
    return redirect(f"{reverse('conversation', args=[message.conversation_id])}?from={message.pk}#m-{message.pk}")


def _tell(request: HttpRequest, turn: Turn, *, with_message: bool) -> HttpResponse:
    """To the conversation, which the person's other tabs hear of too."""
    news.tell(request.user.pk, turn, with_message=with_message)
    return _back_to(turn)


def _back_to(turn: Turn) -> HttpResponse:
    response = redirect("conversation", turn.conversation_id)
    response[HEADER] = str(turn.pk)
    return response


def _page(
    request: HttpRequest, conversation: Conversation | None, error: RefusedError | None = None, **composer: Any
) -> HttpResponse:
    known_news = feed.newest()  # before anything is read: the tab asks for what comes after
    window = windows.newest(presenting.branch(conversation) if conversation else [], request.GET.get("from"))
    shown = presenting.entries(conversation, window.ids) if conversation else []
    is_open = any(entry.is_open for entry in shown)
    context = {
        "conversation": conversation,
        "news": known_news,
        "window": window,
        "page": listing.page(request.user),
        "tags": listing.tags(request.user),
        "deleted": just_deleted(request),
        "undo_seconds": conversations.UNDO_SECONDS,
        "entries": shown,
        "is_open": is_open,
        "notes": _notes(request, keep=is_open),
        "starters": STARTERS,
        "shortcuts": SHORTCUTS,
        "routes": access.route_titles(request.user, conversation and conversation.pk),
        "limit": settings.MESSAGE_MAX_BYTES,
        "limit_in_words": size(settings.MESSAGE_MAX_BYTES),
        "file_limit": settings.FILE_MAX_BYTES,
        "file_limit_in_words": size(settings.FILE_MAX_BYTES),
        "most_files": settings.FILES_PER_MESSAGE,
        "error": error.text if error else "",
        "client_id": uuid4(),  # sent along, so that a form that is posted twice sends once
        "first_steps": [] if conversation else first_steps(request.user),
        **_composer(request, conversation, composer),
    }
    return _refusing(render(request, "chat/page.html", context, status=error.status if error else 200), error)


def _refusing(response: HttpResponse, error: RefusedError | None) -> HttpResponse:
    """The response, with the time after which it is worth trying again."""
    if isinstance(error, BusyError):
        response["Retry-After"] = error.retry_after
    return response


def _composer(request: HttpRequest, conversation: Conversation | None, given: dict[str, Any]) -> dict[str, Any]:
    """What stands in the composer: what was refused or suggested, else the draft."""
    where = conversation.pk if conversation else None
    given = {**given, "files": chips(attachments.unsent(request.user, where)), "accepted_files": ACCEPTED}
    if given.get("draft"):
        return {**given, "draft_revision": "", "draft_pasted": "[]"}
    kept = drafts.draft(request.user, where)
    return {**given, "draft": kept.text, "draft_revision": kept.revision, "draft_pasted": json.dumps(kept.pasted)}


def _notes(request: HttpRequest, keep: bool) -> list[str]:
    """What the person is told on this page; `keep` it where the page loads itself again until an answer is there."""
    storage: Any = messages.get_messages(request)
    notes = [str(message) for message in storage]
    storage.used = not keep
    return notes
