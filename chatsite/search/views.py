"""The page of what was found; the quick search of the chat takes its results from it."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from chatsite.chat import branches
from chatsite.chat.conversation_views import wants_fragment
from chatsite.search import searching
from chatsite.search.terms import MOST_CHARACTERS


@login_required
@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """What has all the words of `q`, a page at a time."""
    query = request.GET.get("q", "")[:MOST_CHARACTERS].replace("\0", " ").strip()
    hits = searching.search(request.user, query, before=request.GET.get("before", ""))
    context = {"query": query, "hits": hits, "most": MOST_CHARACTERS}
    return render(request, "search/_results.html" if wants_fragment(request) else "search/page.html", context)


@login_required
@require_safe
def found(request: HttpRequest, message_id: UUID) -> HttpResponse:
    """To a message that was found, on whichever branch it is: from now on, that branch is shown."""
    message = branches.choose(request.user, message_id=message_id)
    return redirect(f"{reverse('conversation', args=[message.conversation_id])}?from={message.pk}#m-{message.pk}")
