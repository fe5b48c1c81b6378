"""The pages and forms of whole conversations.

A form answers with a page to go to; whoever asks for JSON (the script) gets the frame that all tabs get.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from chatsite.chat import access, conversations, listing, many
from chatsite.chat.models import Conversation
from chatsite.chat.refusals import RefusedError


def refusing(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Say what was refused in words: as a page, or as a frame to the script."""

    @wraps(view)
    def refuse(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except RefusedError as error:
            if wants_json(request):
                return JsonResponse({"type": "error", "code": error.code, "text": error.text}, status=error.status)
            return render(request, "chat/refused.html", {"text": error.text}, status=error.status)

    return refuse


@login_required
@require_safe
def conversation_list(request: HttpRequest) -> HttpResponse:
    """All conversations, those of a tag, or the archived ones, a page at a time; a part of it for the script."""
    wanted = request.GET
    page = listing.page(
        request.user,
        before=wanted.get("before", ""),
        tag_id=wanted.get("tag", ""),
        is_archive=bool(wanted.get("archive")),
    )
    context = {"page": page, "tags": listing.tags(request.user), "archive": wanted.get("archive", "")}
    context |= many.undoable(request.user, many.moment_of(wanted.get("undo", "")))
    template = "chat/_sidebar_list.html" if wants_fragment(request) else "chat/conversations.html"
    return render(request, template, context)


@login_required
@require_safe
def menu(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """What can be done to a conversation, as a part of a page."""
    conversation = access.conversation_or_404(request.user, conversation_id)
    context = {"conversation": conversation, "tags": listing.tags(request.user)}
    return render(request, "chat/_conversation_menu_panel.html", context)


@login_required
@require_POST
def rename(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """Give a conversation another title; an empty one changes nothing."""
    title = request.POST.get("title", "")
    return _done(request, conversations.rename(request.user, conversation_id=conversation_id, title=title))


@login_required
@require_POST
def pin(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """Keep a conversation above the others (`on`), or no longer."""
    is_pinned = bool(request.POST.get("on"))
    return _done(request, conversations.pin(request.user, conversation_id=conversation_id, is_pinned=is_pinned))


@login_required
@require_POST
def archive(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """Put a conversation out of the list (`on`), or back into it."""
    is_archived = bool(request.POST.get("on"))
    return _done(request, conversations.archive(request.user, conversation_id=conversation_id, is_archived=is_archived))


@login_required
@require_POST
@refusing
def tag(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """Give a conversation the tags that are ticked (`tag`), and those that are typed (`new`, with commas between)."""
    names = [*request.POST.getlist("tag"), *request.POST.get("new", "").split(",")]
    return _done(request, conversations.tag(request.user, conversation_id=conversation_id, names=names))


@login_required
@require_POST
def delete(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """Delete a conversation; for a while that can be undone."""
    conversation = conversations.delete(request.user, conversation_id=conversation_id)
    return _done(request, conversation, f"{reverse('new-conversation')}?deleted={conversation.pk}")


@login_required
@require_POST
def restore(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """Undo the deletion of a conversation."""
    return _done(request, conversations.restore(request.user, conversation_id=conversation_id))


def just_deleted(request: HttpRequest) -> Conversation | None:
    """The conversation whose deletion this page is to offer to undo."""
    try:
        wanted = UUID(request.GET.get("deleted", ""))
    except ValueError:
        return None
    return access.deleted_conversations(request.user).filter(pk=wanted).first()


def wants_json(request: HttpRequest) -> bool:
    """Whether the script asks, and not somebody who looks at pages."""
    return request.headers.get("Accept") == "application/json"


def wants_fragment(request: HttpRequest) -> bool:
    """Whether the script asks for a part of a page."""
    return request.headers.get("X-Fragment") == "1"


def _done(request: HttpRequest, conversation: Conversation, address: str = "") -> HttpResponse:
    if wants_json(request):
        return JsonResponse(listing.frame(request.user, conversation.pk))
    back = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}):
        return HttpResponseRedirect(back)
    return redirect(address or reverse("conversation", args=[conversation.pk]))
