"""The pages of shared conversations: for those who share, and for those who read."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from chatsite.chat import access, presenting
from chatsite.sharing import shares
from chatsite.sharing.models import Share

View = Callable[..., HttpResponse]


def only_if_on(view: View) -> View:
    """Where sharing is switched off, there are no such pages."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> HttpResponse:
        if not shares.are_on():
            raise Http404("Nothing is shared here.")
        return view(*args, **kwargs)

    return guarded


@only_if_on
@login_required
@require_http_methods(["GET", "POST"])
def share(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """The link of a conversation, and what it shows; a POST makes it, or brings it up to date."""
    conversation = access.conversation_or_404(request.user, conversation_id)
    problem, until = "", request.POST.get("until") or request.GET.get("until")
    last = shares.last_message(request.user, conversation, until) if until else None
    if request.method == "POST":
        try:
            shares.share(request.user, conversation_id=conversation_id, until=until)
            return redirect("conversation-share", conversation_id)
        except shares.NothingToShareError:
            problem = _("There is nothing to share yet. Write something first.")
    found = Share.objects.filter(conversation=conversation).first()
    end = last.pk if last else found.leaf_id if found and found.ends_on_purpose else None
    context = {
        "conversation": conversation,
        "share": found,
        "address": _address(request, found) if found else "",
        "has_news": found is not None and shares.has_news(found),
        "is_public": shares.are_public(),
        "until": last and last.pk,
        "end": end and presenting.entries(conversation, [end])[0],
        "shows_files": shares.shows_files(conversation, found, end),
        "problem": problem,
    }
    return render(request, "sharing/share.html", context, status=400 if problem else 200)


@only_if_on
@login_required
@require_safe
def share_until(request: HttpRequest, message_id: UUID) -> HttpResponse:
    """From the menu of a message to the page on which the conversation is shared up to there."""
    message = access.message_or_404(request.user, message_id)
    return redirect(f"{reverse('conversation-share', args=[message.conversation_id])}?until={message.pk}")


@only_if_on
@login_required
@require_POST
def revoke(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """Make a link lead nowhere; back to the list if that is where the button was."""
    shares.revoke(request.user, conversation_id=conversation_id)
    return redirect("shared-links") if request.POST.get("list") else redirect("conversation-share", conversation_id)


@only_if_on
@login_required
@require_safe
def links(request: HttpRequest) -> HttpResponse:
    """All that a person shares."""
    found = [(one, _address(request, one)) for one in shares.of(request.user)]
    return render(request, "sharing/links.html", {"links": found})


@only_if_on
@require_safe
def shared(request: HttpRequest, token: str) -> HttpResponse:
    """What is behind a link, to be read."""
    if not shares.are_public() and not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    found = shares.opened(token)
    entries = presenting.entries(found.conversation, shares.message_ids(found))
    context = {"share": found, "entries": [entry for entry in entries if not entry.is_open], "is_shared": True}
    response = render(request, "sharing/shared.html", context)
    response["Cache-Control"] = "no-store, private"
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex, nofollow, noarchive"
    return response


def _address(request: HttpRequest, share: Share) -> str:
    return request.build_absolute_uri(reverse("shared", args=[share.token]))
