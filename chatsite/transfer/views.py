"""Taking one's conversations along, and bringing others."""

from __future__ import annotations

from typing import Any, TypeVar
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from chatsite.chat import access
from chatsite.chat.numbers import size
from chatsite.transfer import exporting, files, importing
from chatsite.transfer.models import Import

Response = TypeVar("Response", bound=HttpResponseBase)


@login_required
@require_safe
def export_markdown(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """What the page of a conversation shows, as a file to read."""
    conversation = access.conversation_or_404(request.user, conversation_id)
    content = exporting.markdown(conversation).encode()
    return _file(HttpResponse(content, "text/markdown; charset=utf-8"), exporting.file_name(conversation, "md"))


@login_required
@require_safe
def export_json(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """A conversation with all its branches, as a file that can be imported."""
    conversation = access.conversation_or_404(request.user, conversation_id)
    content = exporting.as_json(conversation)
    return _file(HttpResponse(content, "application/json"), exporting.file_name(conversation, "json"))


@login_required
@require_safe
def export_all(request: HttpRequest) -> StreamingHttpResponse:
    """All conversations of the person, as a file that can be imported."""
    content = exporting.all_as_json(request.user)
    name = f"switchyard-{timezone.localdate().isoformat()}.json"
    return _file(StreamingHttpResponse(content, content_type="application/json"), name)


@login_required
@require_safe
def transfer(request: HttpRequest) -> HttpResponse:
    """What can be taken along or brought here, and what became of the files that were."""
    return _page(request)


@login_required
@require_POST
def start_import(request: HttpRequest) -> HttpResponse:
    """Have a file imported."""
    uploaded = request.FILES.get("file")
    if uploaded is None:
        return _page(request, _("Choose a file first."), 400)
    name = uploaded.name or ""
    try:
        files.check(name, uploaded.read(100), uploaded.size or 0)
        uploaded.seek(0)
        importing.start(request.user, name=name, content=uploaded.read())
    except files.FileError as error:
        return _page(request, str(error), 400)
    except importing.StillImportingError:
        return _page(request, _("Another file of yours is still being imported. Wait until it is done."), 409)
    return redirect("transfer")


def _page(request: HttpRequest, refusal: str = "", status: int = 200) -> HttpResponse:
    user: Any = request.user
    imports = list(Import.objects.filter(user=user).defer("content"))
    for one in imports:
        one.imported_count = one.origins.count()  # type: ignore[attr-defined]
    context = {
        "imports": imports,
        "is_open": any(one.is_open for one in imports),
        "refusal": refusal,
        "limit": size(files.MAX_BYTES),
        "expanded_limit": size(files.MAX_EXPANDED_BYTES),
    }
    return render(request, "transfer/page.html", context, status=status)


def _file(response: Response, name: str) -> Response:
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    return response
