"""The page of one's own account: address, password, one's data, the end of it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import PasswordChangeForm, SetPasswordForm
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.models import User
from django.contrib.auth.views import PasswordChangeView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from chatsite.accounts import leaving
from chatsite.accounts.forms import AddressForm, Confirmed
from chatsite.accounts.models import Preferences


@login_required
@require_safe
def account(request: HttpRequest) -> HttpResponse:
    """What the site knows of the person, and what they can do about it."""
    return render(request, "accounts/account.html")


@login_required
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def address(request: HttpRequest) -> HttpResponse:
    """Change the e-mail address."""
    user: Any = request.user
    form = AddressForm(request.POST or None, user=user, initial={"email": user.email})
    if form.is_valid():
        user.email = form.cleaned_data["email"]
        user.save(update_fields=["email"])
        messages.success(request, _("Your address is changed."))
        return redirect("account")
    return render(request, "accounts/address.html", {"form": form})


class PasswordView(LoginRequiredMixin, PasswordChangeView):
    """Choose another password; the first one of somebody who came by a link takes no old one."""

    template_name = "accounts/password.html"
    success_url = reverse_lazy("account")

    def get_form_class(self) -> Any:
        user: Any = self.request.user
        return PasswordChangeForm if user.has_usable_password() else SetPasswordForm

    def form_valid(self, form: Any) -> HttpResponse:
        messages.success(
            self.request, _("Your password is changed. Whoever was signed in with the old one is not any more.")
        )
        return super().form_valid(form)


@login_required
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def delete(request: HttpRequest) -> HttpResponse:
    """Delete the account with everything in it, after one more question."""
    user: Any = request.user
    if leaving.is_last_owner(user):
        return render(
            request, "accounts/delete.html", {"is_last_owner": True}, status=200 if request.method == "GET" else 409
        )
    form = Confirmed(request.POST or None, user=user)
    if form.is_valid():
        leaving.delete_account(User.objects.get(pk=user.pk))
        logout(request)
        return render(request, "accounts/deleted.html")
    return render(request, "accounts/delete.html", {"form": form})


@login_required
@require_POST
def hide_first_steps(request: HttpRequest) -> HttpResponse:
    """Show the first steps of an administrator no more."""
    user: Any = request.user
    Preferences.objects.update_or_create(user=user, defaults={"hides_first_steps": True})
    return redirect("new-conversation")
