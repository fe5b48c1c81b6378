"""Drafts and earlier messages, for the scripts of the composer."""

from __future__ import annotations

import json

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from chatsite.chat.refusals import RefusedError
from chatsite.documents.attachments import unsent
from chatsite.documents.shown import render_draft
from chatsite.writing import drafts
from chatsite.writing.sent import sent as sent_before


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def draft(request: HttpRequest) -> JsonResponse:
    """GET: the draft of a conversation. POST: what it is from now on."""
    if request.method != "POST":
        found = drafts.draft(request.user, request.GET.get("conversation"))
        files = render_draft(unsent(request.user, found.conversation_id))
        return JsonResponse({"text": found.text, "pasted": found.pasted, "revision": found.revision, "files": files})
    try:
        revision = drafts.keep(
            request.user,
            conversation_id=request.POST.get("conversation"),
            text=request.POST.get("text", ""),
            pasted=_texts(request.POST.get("pasted", "[]")),
            tab=request.POST.get("tab", "")[:40],
        )
    except RefusedError as error:
        return JsonResponse({"error": error.text}, status=413 if error.code == "draft_too_long" else error.status)
    return JsonResponse({"revision": revision})


@login_required
@never_cache
@require_safe
def sent(request: HttpRequest) -> JsonResponse:
    """What the person has sent before, newest first, this conversation first."""
    return JsonResponse({"texts": sent_before(request.user, request.GET.get("conversation"))})


def _texts(value: str) -> list[str]:
    """A JSON list of texts. Raises `RefusedError` for anything else, and for what no draft can be."""
    if len(value) > 6 * drafts.MAX_BYTES:  # JSON writes some characters in six
        raise RefusedError("draft_too_long")
    try:
        texts = json.loads(value)
    except (ValueError, RecursionError):
        texts = None
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise RefusedError("bad_frame")
    return texts
