"""`manage.py sign_in_link [name]`: the way in for the owner's first visit, and for whoever has lost the way."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from chatsite.accounts.models import SignInLink

OWNER = "owner"


class Command(BaseCommand):
    help = "Print an address that signs one person in, once, within a day."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "name", nargs="?", default=OWNER, help="whom to sign in; the owner, who is made on first use"
        )

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        user = User.objects.filter(username=name).first()
        if user is None and name == OWNER:
            user = User.objects.create_superuser(OWNER)  # without a password: the link is the way in
        if user is None:
            raise CommandError(f"There is nobody called {name}.")
        if not user.is_active:
            raise CommandError(f"{name} may not sign in: the account is not active.")
        self.stdout.write(f"{settings.ALLOWED_ORIGINS[0]}/sign-in/{SignInLink.issue(user=user)}/")
