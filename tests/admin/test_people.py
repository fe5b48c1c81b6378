"""Inviting people, letting them in again, and deleting them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core import mail
from django.test import Client

from chatsite.accounts.models import Invitation
from tests.admin.conftest import AdminClient, said
from tests.pages import rows
from workers.models import Completion

ADD = "/admin/accounts/invitation/add/"


def test_an_invitation_is_shown_once_and_sent(ada: AdminClient, settings: Any) -> None:
    settings.HAS_MAIL = True
    group = Group.objects.create(name="Lawyers")
    page = ada.submit(ADD, email="carol@example.org", groups=[group.pk])
    link = re.search(r"http://\S+(/join/\S+/)", said(page))
    assert link, said(page)
    assert "on its way to carol@example.org" in said(page)
    [message] = mail.outbox
    assert link[0] in str(message.body)
    assert message.subject == "ada invites you to Switchyard"
    assert Client().get(link[1]).status_code == 200
    assert link[1] not in ada.get("/admin/accounts/invitation/").content.decode()
    assert list(Invitation.objects.get().groups.all()) == [group]


def test_a_mail_server_that_is_away_is_said(ada: AdminClient, settings: Any) -> None:
    settings.HAS_MAIL = True
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    page = ada.submit(ADD, email="carol@example.org")
    assert "could not be sent" in said(page)
    assert "/join/" in said(page)


def test_only_superusers_give_groups(alice_with: Callable[..., AdminClient]) -> None:
    group = Group.objects.create(name="Admins")
    alice = alice_with("accounts.add_invitation", "accounts.view_invitation")
    alice.submit(ADD, groups=[group.pk])
    assert not Invitation.objects.get().groups.exists()


def test_a_sign_in_link_is_made_for_those_within_reach(
    ada: AdminClient, admin: User, bob: User, alice_with: Callable[..., AdminClient]
) -> None:
    order = {"action": "make_sign_in_links", "_selected_action": [bob.pk, admin.pk]}
    alice = alice_with("auth.view_user", "auth.change_user")
    page = alice.post("/admin/auth/user/", order, follow=True)
    assert "ada may not be signed in by you." in said(page)
    [path] = re.findall(r"http://\S+?(/sign-in/\S+/)", said(page))
    assert "Sign in as bob" in Client().get(path).content.decode()


@pytest.mark.parametrize("way", ["one", "chosen"])
def test_with_a_person_goes_what_was_said(ada: AdminClient, bob: User, way: str) -> None:
    rows.turn(bob, "A secret", "Another")
    if way == "one":
        ada.post(f"/admin/auth/user/{bob.pk}/delete/", {"post": "yes"})
    else:
        chosen = {"action": "delete_selected", "_selected_action": [bob.pk], "post": "yes"}
        ada.post("/admin/auth/user/", chosen)
    assert not User.objects.filter(pk=bob.pk).exists()
    assert not Completion.objects.exists()


def test_the_list_of_people_says_who_uses_it(ada: AdminClient, bob: User) -> None:
    rows.turn(bob, "Hello")
    page = ada.get("/admin/auth/user/?is_staff__exact=0").content.decode()
    assert "bob" in page
    assert "field-conversation_count" in page
