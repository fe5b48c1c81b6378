"""Rating an answer by a form."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from chatsite.chat import access, ratings
from chatsite.chat.conversation_views import refusing


@login_required
@refusing
@require_http_methods(["GET", "POST"])
def rate(request: HttpRequest, reply_id: UUID) -> HttpResponse:
    """Rate an answer; the page asks for the reason, and scripts put its form under the answer."""
    turn = access.reply_or_404(request.user, reply_id)
    if request.method == "POST":
        value, reason = request.POST.get("rating", ""), request.POST.get("reason")
        ratings.rate(request.user, reply_id=reply_id, value=value, reason=reason)
    elif rating := ratings.rating_of(request.user, turn):
        context = {"turn": turn, "rating": rating, "longest": ratings.LONGEST_REASON}
        return render(request, "chat/reason.html", context)
    return redirect(f"{reverse('conversation', args=[turn.conversation_id])}?from={turn.pk}#m-{turn.pk}")
