"""Making oneself an account."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from chatsite.accounts.models import Invitation
from chatsite.accounts.throttling import JOINING

PASSWORD = "a lantern in the fog"


def join(client: Client, token: str = "", name: str = "carol", **fields: str) -> Any:
    path = reverse("join-by-invitation", args=[token]) if token else reverse("join")
    return client.post(path, {"username": name, "password1": PASSWORD, "password2": PASSWORD, **fields})


def test_an_invitation_makes_one_account_and_signs_it_in(client: Client, admin: User) -> None:
    token = Invitation.issue(email="carol@example.org", invited_by=admin)
    invitation = Invitation.objects.get()
    invitation.groups.set([Group.objects.create(name="Lawyers")])
    assert token not in str(list(Invitation.objects.values()))
    assert 'value="carol@example.org"' in client.get(f"/join/{token}/").content.decode()
    assert join(client, token, email="carol@example.org")["Location"] == "/"
    carol: Any = get_user(client)
    assert (carol.username, carol.email) == ("carol", "carol@example.org")
    assert [group.name for group in carol.groups.all()] == ["Lawyers"]
    assert not (carol.is_staff)
    assert not (carol.is_superuser)
    invitation.refresh_from_db()
    assert invitation.accepted_by == carol
    assert join(Client(), token, "dave").status_code == 410
    assert not User.objects.filter(username="dave").exists()


def test_what_is_sent_along_gives_no_rights(client: Client, db: None) -> None:
    join(client, Invitation.issue(), is_staff="on", is_superuser="on", groups="1", user="1")
    carol: Any = get_user(client)
    assert carol.is_authenticated
    assert not (carol.is_staff)
    assert not (carol.is_superuser)


@pytest.mark.parametrize("kind", ["unknown", "too old", "withdrawn"])
def test_what_is_no_invitation_any_more_says_so(client: Client, db: None, kind: str) -> None:
    token = Invitation.issue() if kind != "unknown" else "x" * 43
    if kind == "too old":
        Invitation.objects.update(created_at=timezone.now() - timedelta(days=7, seconds=1))
    if kind == "withdrawn":
        Invitation.objects.all().delete()
    for response in (client.get(f"/join/{token}/"), join(client, token)):
        assert response.status_code == 410
        assert "Ask whoever invited you for a new one" in response.content.decode()
    assert not User.objects.exists()


def test_a_form_with_mistakes_uses_nothing_up(client: Client, alice: User) -> None:
    token = Invitation.issue()
    refused = {
        "This name is taken": join(client, token, "ALICE"),
        "didn’t match": join(client, token, password2="something else"),
    }
    for text, response in refused.items():
        assert text in response.content.decode()
    assert join(client, token, "<img onerror=alert(1)>").status_code == 200
    assert "&lt;img onerror" in join(client, token, "<img onerror=alert(1)>").content.decode()
    assert Invitation.peek(token)


def test_the_site_is_open_to_everybody_only_where_it_is_set(client: Client, db: None, settings: Any) -> None:
    assert client.get("/join/").status_code == join(client).status_code == 404
    assert "Make yourself an account" not in client.get("/sign-in/").content.decode()
    settings.OPEN_SIGN_UP = True
    assert "Make yourself an account" in client.get("/sign-in/").content.decode()
    assert join(client)["Location"] == "/"
    assert get_user(client).get_username() == "carol"


def test_accounts_are_not_made_in_bulk(client: Client, db: None, settings: Any) -> None:
    settings.OPEN_SIGN_UP = True
    for number in range(JOINING.most_per_address):
        join(Client(), name=f"p{number}")
    response = join(client, name="one-more")
    assert (response.status_code, response["Retry-After"]) == (429, "60")
    assert 'value="one-more"' in response.content.decode()
    assert not User.objects.filter(username="one-more").exists()
