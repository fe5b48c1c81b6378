"""Signing in, with a password or with a one-time link; choosing a language."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import login
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST
from django.views.i18n import set_language

from chatsite.accounts import languages, throttling
from chatsite.accounts.forms import SignInForm
from chatsite.accounts.models import SignInLink


class SignInView(LoginView):
    """Sign in with a name and a password; after many failures only once a while has passed."""

    template_name = "accounts/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if throttling.is_throttled(request, request.POST.get("username", "")):
            context = self.get_context_data(form=SignInForm(request, initial=request.POST.dict()), is_throttled=True)
            response = render(request, self.template_name, context, status=429)
            response["Retry-After"] = str(throttling.WINDOW_SECONDS)
            return response
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_valid(form)
        languages.bring(response, form.get_user())
        return response

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        throttling.note_failure(self.request, form.data.get("username", ""))
        return super().form_invalid(form)


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
    response = redirect("new-conversation")
    languages.bring(response, link.user)
    return response


@require_POST
def choose_language(request: HttpRequest) -> HttpResponseBase:
    """Show everything in another language from now on; back to the page `next`."""
    languages.choose(request.user, request.POST.get("language", ""))
    return set_language(request)
