"""Signing in and out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from chatsite.accounts import views
from chatsite.accounts.models import SignInLink
from chatsite.accounts.throttling import FAILED_SIGN_IN, Throttle

PASSWORD = "the rain in Spain"


def signed_in(client: Client) -> str:
    return get_user(client).get_username()


def post(client: Client, password: str = PASSWORD, next: str = "", **environ: Any) -> Any:
    return client.post(reverse("sign-in"), {"username": "alice", "password": password, "next": next}, **environ)


def test_a_password_signs_in(client: Client, alice: Any) -> None:
    assert post(client)["Location"] == reverse("new-conversation")
    assert signed_in(client) == "alice"


def test_a_wrong_password_is_told_as_little_as_a_wrong_name(client: Client, alice: Any) -> None:
    wrong = post(client, "nonsense")
    unknown = client.post(reverse("sign-in"), {"username": "nobody", "password": PASSWORD})
    for response in (wrong, unknown):
        assert "That name and password do not go together." in response.content.decode()
    assert signed_in(client) == ""


def test_the_way_back_stays_on_this_site(client: Client, alice: Any) -> None:
    assert post(client, next="/c/x/")["Location"] == "/c/x/"
    client.logout()
    assert post(client, next="//evil.example/")["Location"] == "/"


def test_those_who_are_signed_in_need_not_do_it_again(client: Client, alice: Any) -> None:
    client.force_login(alice)
    assert client.get(reverse("sign-in"))["Location"] == "/"


def test_signing_in_begins_a_new_session(client: Client, alice: Any) -> None:
    client.get(reverse("sign-in"))
    session = client.session
    session["planted"] = True
    session.save()
    post(client)
    assert client.session.session_key != session.session_key


def test_signing_out_takes_a_form_not_a_link(client: Client, alice: Any, admin: Any) -> None:
    client.force_login(alice)
    assert client.get(reverse("sign-out")).status_code == 405
    assert client.post(reverse("sign-out"))["Location"] == f"{reverse('sign-in')}?signed-out"
    client.force_login(admin)
    assert client.post(reverse("admin:logout"))["Location"] == f"{reverse('sign-in')}?signed-out"
    assert signed_in(client) == ""


@pytest.mark.parametrize("name", ["alice", "nobody"])
def test_many_wrong_passwords_close_the_door_for_a_minute(client: Client, alice: Any, name: str) -> None:
    for _ in range(FAILED_SIGN_IN.most_per_address):
        assert client.post(reverse("sign-in"), {"username": name, "password": "nonsense"}).status_code == 200
    response = post(client)
    assert (response.status_code, response["Retry-After"]) == (429, "60")
    assert "Wait a minute" in response.content.decode()
    assert 'value="alice"' in response.content.decode()
    assert signed_in(client) == ""
    assert post(client, REMOTE_ADDR="192.0.2.1").status_code == 302


def test_many_addresses_cannot_try_one_name(client: Client, alice: Any) -> None:
    for number in range(FAILED_SIGN_IN.most_per_name):
        post(client, "nonsense", REMOTE_ADDR=f"192.0.2.{number}")
    assert post(client, REMOTE_ADDR="192.0.2.200").status_code == 429


def test_of_many_passwords_that_come_at_once_no_more_are_tried(
    client: Client, alice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "FAILED_SIGN_IN", Throttle("failed-sign-in", most_per_address=3, most_per_name=60))
    statuses = []

    def try_another_meanwhile(*_: Any, **__: Any) -> None:
        statuses.append(post(Client(), "nonsense").status_code)

    monkeypatch.setattr("django.contrib.auth.forms.authenticate", try_another_meanwhile)
    post(client, "nonsense")
    assert statuses == [429, 200, 200]  # the last one that came is answered first


def test_those_who_sign_in_are_not_counted(alice: Any) -> None:
    for _ in range(FAILED_SIGN_IN.most_per_address + 1):
        assert post(Client()).status_code == 302


@pytest.mark.parametrize(
    ("addresses", "elsewhere"),
    [("2001:db8:0:1::{:x}", "2001:db8:0:2::1"), ("::ffff:192.0.2.1", "::ffff:192.0.2.2")],
)
def test_all_addresses_of_a_network_that_is_somebodys_are_one(
    client: Client, alice: Any, addresses: str, elsewhere: str
) -> None:
    for number in range(FAILED_SIGN_IN.most_per_address):
        post(client, "nonsense", REMOTE_ADDR=addresses.format(number))
    assert post(client, REMOTE_ADDR=addresses.format(999)).status_code == 429
    assert post(client, REMOTE_ADDR=elsewhere).status_code == 302


def test_behind_a_proxy_the_address_is_what_the_proxy_says(client: Client, alice: Any, settings: Any) -> None:
    settings.BEHIND_PROXY = True
    for number in range(FAILED_SIGN_IN.most_per_address):
        post(client, "nonsense", HTTP_X_FORWARDED_FOR=f"198.51.100.{number}, 192.0.2.1")
    assert post(client, HTTP_X_FORWARDED_FOR="192.0.2.1").status_code == 429
    assert post(client, HTTP_X_FORWARDED_FOR="192.0.2.1, 192.0.2.2").status_code == 302


# --- one-time links -----------------------------------------------------------------------------------------


@pytest.fixture
def link(alice: Any) -> str:
    return reverse("sign-in-by-link", args=[SignInLink.issue(user=alice)])


def test_looking_at_a_link_does_not_use_it_up(client: Client, link: str) -> None:
    for _ in range(3):
        response = client.get(link)
        assert "Sign in as alice" in response.content.decode()
        assert "no-store" in response["Cache-Control"]
    assert signed_in(client) == ""
    assert client.post(link)["Location"] == "/"
    assert signed_in(client) == "alice"


def test_a_link_works_once(client: Client, link: str) -> None:
    client.post(link)
    client.logout()
    for response in (client.get(link), client.post(link)):
        assert response.status_code == 410
        assert "does not work any more" in response.content.decode()
    assert signed_in(client) == ""


def test_an_old_link_does_not_work(client: Client, link: str) -> None:
    SignInLink.objects.update(created_at=timezone.now() - timedelta(days=1, seconds=1))
    assert client.post(link).status_code == 410


@pytest.mark.parametrize("token", ["nonsense", "x" * 5000, "%00", "%F0%9F%98%80"])
def test_a_link_that_was_never_issued_does_not_work(client: Client, db: None, token: str) -> None:
    assert client.post(f"/sign-in/{token}/").status_code == 410


def test_a_link_does_not_open_an_account_that_is_switched_off(client: Client, alice: Any, link: str) -> None:
    alice.is_active = False
    alice.save()
    assert client.get(link).status_code == 410
    assert client.post(link).status_code == 410
    assert signed_in(client) == ""


def test_the_database_does_not_hold_what_opens_a_link(alice: Any) -> None:
    token = SignInLink.issue(user=alice)
    assert token not in str(list(SignInLink.objects.values()))
