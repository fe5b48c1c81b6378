"""`manage.py sign_in_link`: the owner's way in."""

from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from chatsite.accounts.models import SignInLink

pytestmark = pytest.mark.django_db


def _link(*names: str) -> str:
    output = StringIO()
    call_command("sign_in_link", *names, stdout=output)
    return output.getvalue().strip()


def test_it_makes_the_owner_once_and_a_link_each_time() -> None:
    first, second = _link(), _link()
    assert first != second
    owner = User.objects.get()
    assert owner.username == "owner"
    assert owner.is_superuser
    assert not owner.has_usable_password()


def test_its_token_signs_in_whom_it_was_made_for(alice: Any) -> None:
    token = _link("alice").removeprefix(f"{settings.ALLOWED_ORIGINS[0]}/sign-in/").removesuffix("/")
    link = SignInLink.redeem(token)
    assert link is not None
    assert link.user == alice


def test_its_address_is_a_page_of_the_site() -> None:
    path = _link().removeprefix(settings.ALLOWED_ORIGINS[0])
    assert Client().get(path, HTTP_HOST=settings.ALLOWED_HOSTS[0]).status_code in (200, 302)


def test_it_rejects_a_name_that_nobody_has() -> None:
    with pytest.raises(CommandError, match="nobody called mallory"):
        _link("mallory")


def test_it_rejects_somebody_who_may_not_sign_in(alice: Any) -> None:
    alice.is_active = False
    alice.save()
    with pytest.raises(CommandError, match="not active"):
        _link("alice")
