"""Signing in with a name and a password."""

from django.contrib.auth.forms import AuthenticationForm
from django.utils.translation import gettext_lazy as _


class SignInForm(AuthenticationForm):
    error_messages = {
        "invalid_login": _("That name and password do not go together. Mind capitals in the password, and try again."),
        "inactive": _("This account is switched off. Your administrator can switch it on."),
    }
