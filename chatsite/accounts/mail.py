"""Mail to people, sent by the background worker: the site neither waits for a mail server nor shows by its pace whom it
knows."""

from __future__ import annotations

from smtplib import SMTPException
from typing import Any
from urllib.parse import urlsplit

from celery import shared_task
from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import EmailMessage
from django.template import loader
from django.utils import translation

from chatsite.routing.queue import BACKGROUND

# A mail server that is away for a while is tried again, for about an hour.
_PATIENT: dict[str, Any] = {
    "queue": BACKGROUND,
    "autoretry_for": (OSError, SMTPException),
    "retry_backoff": 5,
    "max_retries": 10,
}


@shared_task(name="accounts.send_password_reset", **_PATIENT)
def send_password_reset(email: str, language: str) -> None:
    """Send a link for a new password to every account with this address. The token is made here: no queue holds it."""
    from chatsite.accounts.forms import ResetForm

    form = ResetForm({"email": email})
    if not form.is_valid():
        return
    with translation.override(language):
        form.save(
            domain_override=urlsplit(settings.ALLOWED_ORIGINS[0]).netloc,
            subject_template_name="accounts/mail/reset_subject.txt",
            email_template_name="accounts/mail/reset.txt",
            use_https=settings.ALLOWED_ORIGINS[0].startswith("https://"),
            token_generator=default_token_generator,
        )


def send_invitation(email: str, link: str, invited_by: str) -> None:
    """Send an invitation at once, as the admin waits to hear that it is out. Raises what `smtplib` raises."""
    context = {"link": link, "invited_by": invited_by, "site": urlsplit(settings.ALLOWED_ORIGINS[0]).netloc}
    subject = " ".join(loader.render_to_string("accounts/mail/invitation_subject.txt", context).split())
    EmailMessage(subject, loader.render_to_string("accounts/mail/invitation.txt", context), None, [email]).send()
