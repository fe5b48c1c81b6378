"""Signing in: with a password, or with a one-time link."""

from __future__ import annotations

from django.contrib.auth import login
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from chatsite.accounts.forms import SignInForm
from chatsite.accounts.models import SignInLink

sign_in = LoginView.as_view(
    template_name="accounts/sign_in.html", authentication_form=SignInForm, redirect_authenticated_user=True
)


@never_cache
@require_http_methods(["GET", "POST"])
def sign_in_by_link(request: HttpRequest, token: str) -> HttpResponse:
    """Ask before using the link up, so that a preview of it in a mail or a chat does not."""
    link = SignInLink.redeem(token) if request.method == "POST" else SignInLink.peek(token)
    if link is None or not link.user.is_active:
        return render(request, "accounts/link_expired.html", status=410)
    if request.method == "GET":
        return render(request, "accounts/sign_in_by_link.html", {"link": link})
    login(request, link.user, backend="django.contrib.auth.backends.ModelBackend")
    return redirect("new-conversation")
