"""Signing in: with a password, with a one-time link, or after the password was lost. Choosing a language."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, PasswordResetConfirmView
from django.core.validators import validate_email
from django.forms import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST
from django.views.i18n import set_language

from chatsite.accounts import languages, mail
from chatsite.accounts.forms import SignInForm
from chatsite.accounts.models import SignInLink
from chatsite.accounts.throttling import FAILED_SIGN_IN, PASSWORD_RESET, WINDOW_SECONDS

BACKEND = "django.contrib.auth.backends.ModelBackend"


class SignInView(LoginView):
    """Sign in with a name and a password; after many failures only once a while has passed."""

    template_name = "accounts/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        ways = {"has_mail": settings.HAS_MAIL, "is_open": settings.OPEN_SIGN_UP}
        return super().get_context_data(**ways, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not FAILED_SIGN_IN.lets_in(request, request.POST.get("username", "")):
            context = self.get_context_data(form=SignInForm(request, initial=request.POST.dict()), is_throttled=True)
            return too_many(request, self.template_name, context)
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        FAILED_SIGN_IN.take_back(self.request, form.data.get("username", ""))
        response = super().form_valid(form)
        languages.bring(response, form.get_user())
        return response


@never_cache
@require_http_methods(["GET", "POST"])
def sign_in_by_link(request: HttpRequest, token: str) -> HttpResponse:
    """Ask before using the link up, so that a preview of it in a mail or a chat does not."""
    link = SignInLink.redeem(token) if request.method == "POST" else SignInLink.peek(token)
    if link is None or not link.user.is_active:
        return render(request, "accounts/link_expired.html", status=410)
    if request.method == "GET":
        return render(request, "accounts/sign_in_by_link.html", {"link": link})
    login(request, link.user, backend=BACKEND)
    response = redirect("new-conversation")
    languages.bring(response, link.user)
    return response


@require_POST
def choose_language(request: HttpRequest) -> HttpResponseBase:
    """Show everything in another language from now on; back to the page `next`."""
    languages.choose(request.user, request.POST.get("language", ""))
    return set_language(request)


@require_http_methods(["GET", "POST"])
def ask_for_reset(request: HttpRequest) -> HttpResponse:
    """Have a link for a new password sent. What is said does not depend on whether the address is known."""
    if not settings.HAS_MAIL:
        raise Http404("No mail is set up.")
    if request.method == "GET":
        return render(request, "accounts/reset_ask.html")
    email = request.POST.get("email", "").strip()
    try:
        validate_email(email)
    except ValidationError:
        refusal = _("This is not an e-mail address. One looks like name@example.org.")
        return render(request, "accounts/reset_ask.html", {"refusal": refusal, "email": email})
    if not PASSWORD_RESET.lets_in(request, email):
        return too_many(request, "accounts/reset_ask.html", {"is_throttled": True, "email": email})
    mail.send_password_reset.delay(email, get_language())
    return render(request, "accounts/reset_sent.html", {"email": email})


class ResetView(PasswordResetConfirmView):
    """Choose a new password with the link from the mail, and be signed in with it."""

    template_name = "accounts/reset.html"
    success_url = reverse_lazy("new-conversation")
    post_reset_login = True
    post_reset_login_backend = BACKEND


def too_many(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """A page whose form was sent too often, with the time after which it may be sent again."""
    response = render(request, template, context, status=429)
    response["Retry-After"] = str(WINDOW_SECONDS)
    return response
