"""A new password by mail."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.core import mail
from django.test import Client

from chatsite.accounts.mail import send_password_reset
from chatsite.accounts.throttling import PASSWORD_RESET

NEW = "a lantern in the fog"


@pytest.fixture
def asked(settings: Any, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What the background worker was asked to send, which a test sends by itself."""
    settings.HAS_MAIL = True
    asked: list[tuple[str, str]] = []
    monkeypatch.setattr(send_password_reset, "delay", lambda *args: asked.append(args))
    return asked


def ask(client: Client, email: str) -> Any:
    return client.post("/password/", {"email": email}, HTTP_HOST="localhost")


def test_the_link_lets_one_choose_a_password(client: Client, alice: User, asked: list[tuple[str, str]]) -> None:
    assert "alice@example.org" in ask(client, "alice@example.org").content.decode()
    for order in asked:
        send_password_reset(*order)
    [message] = mail.outbox
    assert message.to == ["alice@example.org"]
    path = re.search(r"http://127\.0\.0\.1:\d+(/password/\S+)", str(message.body))
    assert path, message.body
    form = client.get(path[1], follow=True)
    assert form.redirect_chain  # the token is no longer in the address
    changed = client.post(form.redirect_chain[-1][0], {"new_password1": NEW, "new_password2": NEW})
    assert changed["Location"] == "/"
    assert get_user(client) == alice
    alice.refresh_from_db()
    assert alice.check_password(NEW)
    assert "does not work any more" in Client().get(path[1], follow=True).content.decode()


def test_nobody_learns_who_is_known(client: Client, alice: User, asked: list[tuple[str, str]]) -> None:
    known, unknown = (ask(client, email).content.decode() for email in ("alice@example.org", "mallory@example.org"))
    without_token = [re.sub(r'value="\w{64}"', "", page) for page in (known, unknown)]
    assert without_token[0].replace("alice@", "mallory@") == without_token[1]
    send_password_reset("mallory@example.org", "en")
    assert len(asked) == 2
    assert mail.outbox == []


def test_somebody_without_a_password_or_switched_off_gets_none(alice: User, bob: User) -> None:
    alice.is_active = False
    alice.save()
    bob.set_unusable_password()
    bob.save()
    for email in ("alice@example.org", "bob@example.org"):
        send_password_reset(email, "en")
    assert mail.outbox == []


def test_what_is_no_address_is_said(client: Client, db: None, asked: list[tuple[str, str]]) -> None:
    assert "not an e-mail address" in ask(client, "alice").content.decode()
    assert 'value="&quot;&gt;&lt;img&gt;"' in ask(client, '"><img>').content.decode()
    assert asked == []


def test_mail_is_not_sent_in_bulk(client: Client, db: None, asked: list[tuple[str, str]]) -> None:
    for _ in range(PASSWORD_RESET.most_per_name):
        ask(client, "alice@example.org")
    response = ask(client, "ALICE@example.org")
    assert (response.status_code, response["Retry-After"]) == (429, "60")
    assert len(asked) == PASSWORD_RESET.most_per_name


def test_without_a_mail_server_it_is_not_offered(client: Client, db: None) -> None:
    assert client.get("/password/").status_code == 404
    assert "lost my password" not in client.get("/sign-in/").content.decode()
