"""One id for what a person asked: in the response, in the log, in the words for admins."""

from __future__ import annotations

import logging
import sys
import uuid
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from chatsite.accounts.views import ResetView
from chatsite.chat import turns
from chatsite.chat.models import Turn
from chatsite.sharing.models import new_token
from tests.pages import rows

HEADER = "X-Request-ID"


def test_a_request_is_given_an_id(client: Client, db: None) -> None:
    first, second = (client.get("/sign-in/")[HEADER] for _ in range(2))
    assert uuid.UUID(first) != uuid.UUID(second)


def test_the_id_of_a_proxy_is_kept(client: Client, db: None) -> None:
    assert client.get("/sign-in/", headers={HEADER: "proxy-7.4"})[HEADER] == "proxy-7.4"


@pytest.mark.parametrize("given", ["with space", "x" * 129, "ü", '"'])
def test_an_id_that_could_harm_a_log_is_not_taken(client: Client, db: None, given: str) -> None:
    assert uuid.UUID(client.get("/sign-in/", headers={HEADER: given})[HEADER])


def test_a_message_is_answered_with_the_id_of_its_reply(client: Client, alice: Any, defaults: None) -> None:
    client.force_login(alice)
    response = client.post("/", {"text": "Hello"})
    assert response[HEADER] == str(Turn.objects.get().pk)


def test_a_link_that_lets_somebody_in_does_not_stand_in_the_log(
    client: Client, db: None, settings: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def be_away(*_: Any) -> None:
        raise OperationalError("starting up")

    (handler,) = logging.getLogger("django.request").root.handlers[:1]
    monkeypatch.setattr(handler, "stream", sys.stderr)
    monkeypatch.setattr(ResetView, "get_user", be_away)
    settings.SHARE_LINKS = "public"
    for path in ("sign-in/a-one-time-token", "join/an-invitation", f"s/{new_token()}", "password/MQ/c-of-a-mail"):
        client.get(f"/{path}/")
    said = capsys.readouterr().err
    assert "GET /sign-in/<str:token>/ 410" in said
    assert "Gone: /sign-in/[secret]/" in said
    assert "Gone: /join/[secret]/" in said
    assert "Not Found: /s/[secret]/" in said
    assert "Service Unavailable: /password/[secret]/" in said


def test_a_page_that_broke_names_its_request(client: Client, alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*_: Any, **__: Any) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(turns, "submit", break_down)
    client.force_login(alice)
    client.raise_request_exception = False
    response = client.post("/", {"text": "Hello"}, headers={HEADER: "proxy-9"})
    assert response.status_code == 500
    assert "<code>proxy-9</code>" in response.content.decode()


def test_those_who_run_the_place_see_the_id_of_an_answer_that_failed(client: Client, alice: Any, admin: Any) -> None:
    for person, sees in ((alice, False), (admin, True)):
        turn = rows.turn(person, status="failed", error_code="provider_unavailable")
        client.force_login(person)
        page = client.get(f"/c/{turn.conversation_id}/").content.decode()
        assert (f"<code>{turn.pk}</code>" in page) is sees
