"""What somebody who runs the place sees to first, on the page of an empty chat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.urls import reverse
from django.utils.translation import gettext as _

from chatsite.accounts.models import Invitation, Preferences
from router.models import Revision
from workers.models import Model, Provider


@dataclass(frozen=True)
class Step:
    """Something to do once, the page where it is done, and whether it is done."""

    text: str
    link: str
    is_done: bool


def first_steps(user: Any) -> list[Step]:
    """The steps of a superuser; none for others, once all are done, and for those who have put them away."""
    if not user.is_superuser or Preferences.objects.filter(user=user, hides_first_steps=True).exists():
        return []
    steps = [
        Step(_("Choose a password"), reverse("account-password"), user.has_usable_password()),
        Step(_("Connect a generative model"), reverse("admin:workers_provider_add"), has_generative_model()),
        Step(_("Invite people"), reverse("admin:accounts_invitation_add"), _has_company(user)),
        Step(_("Look at the routes"), reverse("admin:router_route_changelist"), _has_own_routes()),
    ]
    return [] if all(step.is_done for step in steps) else steps


def has_generative_model() -> bool:
    """Whether anything but the built-in models is connected and switched on."""
    generative = (Provider.Kind.OPENAI, Provider.Kind.TRANSFORMERS)
    return Model.objects.filter(is_enabled=True, provider__is_enabled=True, provider__kind__in=generative).exists()


def _has_company(user: Any) -> bool:
    """Whether anybody was invited, or came. The command line has an account of its own, and nobody signs in to it."""
    return Invitation.objects.exists() or User.objects.exclude(pk=user.pk).exclude(last_login=None).exists()


def _has_own_routes() -> bool:
    """Whether anything was published after the routes that came with the installation."""
    return Revision.objects.exclude(author=None).exists()
