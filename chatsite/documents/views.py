"""Files: put into a draft, looked after, taken out again, fetched back."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils.http import content_disposition_header
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from chatsite.chat.refusals import RefusedError
from chatsite.documents import attachments, shown
from chatsite.writing import drafts


@login_required
@require_POST
def add(request: HttpRequest) -> HttpResponse:
    """Put one file into a draft; gives it as the composer shows it, or says what is wrong with it."""
    file = request.FILES.get("file")
    try:
        if file is None:
            raise RefusedError("file_empty")
        conversation, tab = request.POST.get("conversation"), request.POST.get("tab", "")[:40]
        attachment = attachments.add(request.user, file, conversation_id=conversation, tab=tab)
    except RefusedError as error:
        return JsonResponse({"error": error.text}, status=error.status)
    return JsonResponse({"html": shown.render_draft([attachment])}, status=201)


@login_required
@never_cache
@require_safe
def state(request: HttpRequest, attachment_id: UUID) -> HttpResponse:
    """A file of a draft as the composer shows it now."""
    return JsonResponse({"html": shown.render_draft([attachments.attachment_or_404(request.user, attachment_id)])})


@login_required
@require_POST
def remove(request: HttpRequest, attachment_id: UUID) -> HttpResponse:
    """Take a file out of a draft. What a page without scripts has in its text box is kept as the draft."""
    removed = attachments.remove(request.user, attachment_id=attachment_id, tab=request.POST.get("tab", "")[:40])
    if "text" not in request.POST:
        return HttpResponse(status=204)
    where = removed.conversation_id
    drafts.keep(request.user, conversation_id=where, text=request.POST["text"], pasted=[], tab="")
    return redirect("conversation", where) if where else redirect("new-conversation")


@login_required
@never_cache
@require_safe
def file(request: HttpRequest, attachment_id: UUID) -> HttpResponse:
    """The file as it was uploaded, to be saved: whatever is in it, no browser shows it as a page of this site."""
    attachment = attachments.attachment_or_404(request.user, attachment_id)
    response = HttpResponse(bytes(attachment.content.data), content_type="application/octet-stream")
    response.headers["Content-Disposition"] = content_disposition_header(True, attachment.name)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
