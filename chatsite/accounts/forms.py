"""Signing in with a name and a password."""

from django.contrib.auth.forms import AuthenticationForm


class SignInForm(AuthenticationForm):
    error_messages = {
        "invalid_login": "That name and password do not go together. Mind capitals in the password, and try again.",
        "inactive": "This account is switched off. Your administrator can switch it on.",
    }
