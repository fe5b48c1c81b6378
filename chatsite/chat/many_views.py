"""The forms of the lists of conversations, by which many are changed at once; they work without a script."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from chatsite.chat import access, listing, many, notices
from chatsite.chat.conversation_views import refusing
from chatsite.chat.refusals import RefusedError

ACTIONS = ("archive", "unarchive", "delete", "tag")
ACTIONS_ON_ALL = ("archive-all", "unarchive-all", "delete-all")  # of a list


@login_required
@require_POST
@refusing
def change(request: HttpRequest) -> HttpResponse:
    """Do something to the conversations that are ticked, or to all of the list, after one more question."""
    given, action = request.POST, request.POST.get("action", "")
    is_on_all = action in ACTIONS_ON_ALL
    if not is_on_all and action not in ACTIONS:
        return HttpResponseBadRequest()
    chosen = _all(request) if is_on_all else access.conversations(request.user).filter(pk__in=_ids(given))
    if not is_on_all and not chosen.exists():
        messages.info(request, notices.text("nothing_ticked"))
        return redirect(_list(given))
    if is_on_all and not given.get("confirmed"):
        context = {"action": action, "count": chosen.count(), "given": given, "back": _list(given)}
        return render(request, "chat/change_all.html", context)
    moment = _do(request, action.removesuffix("-all"), chosen)
    return redirect(_list(given, **({"undo": moment.isoformat()} if moment else {})))


@login_required
@require_POST
def restore(request: HttpRequest) -> HttpResponse:
    """Undo what was done to many at a moment."""
    if moment := many.moment_of(request.POST.get("undo", "")):
        many.restore(request.user, moment)
    return redirect(_list(request.POST))


def _do(request: HttpRequest, action: str, chosen: many.Chosen) -> datetime | None:
    match action:
        case "delete":
            return many.delete(request.user, chosen)
        case "archive":
            return many.archive(request.user, chosen, is_archived=True)
        case "unarchive":
            many.archive(request.user, chosen, is_archived=False)
        case "tag":
            many.tag(request.user, chosen, request.POST.get("tags", "").split(","))
            count = chosen.count()
            said = ngettext(
                "{count} conversation has these tags now.", "{count} conversations have these tags now.", count
            )
            messages.info(request, said.format(count=count))
    return None


def _all(request: HttpRequest) -> many.Chosen:
    tag_id = request.POST.get("tag", "")
    tag = listing.tag_of(request.user, tag_id)
    if tag_id and not tag:  # without one, it would be all that there is
        raise RefusedError("tag_is_gone")
    return listing.listed(request.user, tag, is_archive=bool(request.POST.get("archive")))


def _ids(given: QueryDict) -> list[UUID]:
    """Those of the ticked ones that are ids at all."""
    found = []
    for value in given.getlist("chosen"):
        try:
            found.append(UUID(value))
        except ValueError:
            continue
    return found


def _list(given: QueryDict, **more: str) -> str:
    """The address of the list that a form stands in."""
    query = urlencode({name: str(given[name]) for name in ("archive", "tag") if given.get(name)} | more)
    return reverse("conversations") + (f"?{query}" if query else "")
