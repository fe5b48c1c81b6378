"""What people fill in about themselves: to sign in, to join, and on their account's page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm, BaseUserCreationForm, PasswordResetForm
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.template import loader
from django.utils.translation import gettext_lazy as _


class SignInForm(AuthenticationForm):
    error_messages = {
        "invalid_login": _("That name and password do not go together. Mind capitals in the password, and try again."),
        "inactive": _("This account is switched off. Your administrator can switch it on."),
    }


class JoinForm(BaseUserCreationForm):
    """A new account. The address may stay empty; without it, a lost password takes an administrator."""

    class Meta:
        model = User
        fields = ("username", "email")
        labels = {"username": _("Name"), "email": _("E-mail address (optional)")}
        help_texts = {"username": _("Letters, digits and @ . + - _")}

    def clean_username(self) -> str:
        """No two names that differ in capitals only: one could pass for the other."""
        name: str = self.cleaned_data["username"]
        if User.objects.filter(username__iexact=name).exists():
            raise ValidationError(_("This name is taken. Choose another one."))
        return name


class Confirmed(forms.Form):
    """Something that is done only by whoever knows the password, or the name where there is no password yet."""

    confirmation = forms.CharField(strip=False, max_length=4096)

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        field = self.fields["confirmation"]
        if user.has_usable_password():
            field.label = _("Your password")
            field.widget = forms.PasswordInput(attrs={"autocomplete": "current-password"})
        else:
            field.label = _("Your name, %(name)s, to confirm it") % {"name": user.get_username()}
            field.widget = forms.TextInput(attrs={"autocomplete": "off"})

    def clean_confirmation(self) -> str:
        given: str = self.cleaned_data["confirmation"]
        if self.user.has_usable_password():
            if not self.user.check_password(given):
                raise ValidationError(_("This is not your password."))
        elif given != self.user.get_username():
            raise ValidationError(_("This is not your name."))
        return given


class AddressForm(Confirmed):
    """Another e-mail address: with the password, as whoever reads its mail can have a new password sent."""

    email = forms.EmailField(required=False, label=_("E-mail address"))
    field_order = ("email", "confirmation")


class ResetForm(PasswordResetForm):
    """Sends the mail as the framework's form does, but lets whoever calls it know if that fails."""

    def send_mail(
        self,
        subject_template_name: str,
        email_template_name: str,
        context: dict[str, Any],
        from_email: str | None,
        to_email: str,
        html_email_template_name: str | None = None,
    ) -> None:
        subject = " ".join(loader.render_to_string(subject_template_name, context).split())
        EmailMessage(subject, loader.render_to_string(email_template_name, context), from_email, [to_email]).send()
