"""Making oneself an account: with an invitation, or without one where the site is open to everybody."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from chatsite.accounts.forms import JoinForm
from chatsite.accounts.models import Invitation
from chatsite.accounts.throttling import JOINING
from chatsite.accounts.views import BACKEND, too_many

PAGE = "accounts/join.html"


class UsedUpError(Exception):
    """Somebody else was faster with the same invitation."""


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def join(request: HttpRequest, token: str = "") -> HttpResponse:
    """Ask for a name and a password, and sign the new account in."""
    if not token and not settings.OPEN_SIGN_UP:
        raise Http404("This site is for those who are invited.")
    if request.user.is_authenticated:
        return redirect("new-conversation")
    invitation = Invitation.peek(token) if token else None
    if token and invitation is None:
        return _expired(request)
    initial = {"email": invitation.email if invitation else ""}
    if request.method == "GET":
        return render(request, PAGE, {"form": JoinForm(initial=initial)})
    if not JOINING.lets_in(request, token):
        return too_many(request, PAGE, {"form": JoinForm(initial=request.POST.dict()), "is_throttled": True})
    form = JoinForm(request.POST)
    if form.is_valid():
        try:
            login(request, _new_account(form, token), backend=BACKEND)
            return redirect("new-conversation")
        except UsedUpError:
            return _expired(request)
        except IntegrityError:  # the same name, at the same moment
            form.add_error("username", _("This name is taken. Choose another one."))
    return render(request, PAGE, {"form": form})


@transaction.atomic
def _new_account(form: Any, token: str) -> User:
    invitation = Invitation.redeem(token) if token else None
    if token and invitation is None:
        raise UsedUpError
    user: User = form.save()
    if invitation:
        user.groups.set(invitation.groups.all())
        invitation.accepted_by = user
        invitation.save(update_fields=["accepted_by"])
    return user


def _expired(request: HttpRequest) -> HttpResponse:
    return render(request, "accounts/invitation_expired.html", status=410)
