"""A long conversation is shown by its newest messages; earlier ones come when they are asked for."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from chatsite.chat import windows
from chatsite.chat.models import Conversation
from tests.pages import rows


@pytest.fixture
def long(client: Client, alice: Any) -> Conversation:
    client.force_login(alice)
    return rows.long_conversation(alice, turns=100)


def questions(html: str) -> list[int]:
    return [int(number) for number in re.findall(r'dir="auto">Question (\d+)', html)]


def get(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def link_of(html: str) -> tuple[str, str]:
    """Where the link to earlier messages leads, without a script and with one."""
    found = re.search(r'<p class="earlier"><a [^>]*href="([^"]*)" data-fragment="([^"]*)"', html)
    assert found
    return found[1], found[2]


def test_a_page_has_the_newest_messages_only(client: Client, long: Conversation) -> None:
    html = get(client, f"/c/{long.pk}/")
    assert questions(html) == list(range(70, 100))


def test_without_a_script_the_page_grows_towards_the_beginning(client: Client, long: Conversation) -> None:
    address, first = f"/c/{long.pk}/", 100
    while first:
        html = get(client, address)
        shown = questions(html)
        assert shown == list(range(shown[0], 100))
        assert shown[0] < first
        first = shown[0]
        if first:
            query, _, anchor = link_of(html)[0].partition("#")
            assert f'id="{anchor}"' in html  # the next page opens where this one began
            address = f"/c/{long.pk}/{query}"
    assert "Show earlier messages" not in html


def test_a_script_fetches_each_piece_once(client: Client, long: Conversation) -> None:
    html = get(client, f"/c/{long.pk}/")
    seen: list[int] = []
    while 'class="earlier"' in html:
        html = get(client, link_of(html)[1])
        assert "<html" not in html
        seen = questions(html) + seen
    assert seen == list(range(70))


@pytest.mark.parametrize("first", ["", "nonsense", str(UUID(int=1)), "\x00", "x" * 5000])
def test_a_place_that_is_none_shows_the_newest(client: Client, long: Conversation, first: str) -> None:
    response = client.get(f"/c/{long.pk}/", {"from": first})
    assert questions(response.content.decode()) == list(range(70, 100))


def test_a_short_conversation_has_no_link(client: Client, alice: Any) -> None:
    client.force_login(alice)
    for turns in (1, windows.MESSAGES // 2):
        html = get(client, f"/c/{rows.long_conversation(alice, turns).pk}/")
        assert "Show earlier messages" not in html
        assert questions(html) == list(range(turns))


def test_a_page_asks_as_little_of_the_database_however_long_it_is(client: Client, alice: Any) -> None:
    client.force_login(alice)
    counts = []
    for turns in (30, 500):
        conversation = rows.long_conversation(alice, turns)
        client.get(f"/c/{conversation.pk}/")
        with CaptureQueriesContext(
            connection,
        ) as captured:
            client.get(f"/c/{conversation.pk}/")
        counts.append(len(captured))
    assert counts[0] == counts[1]
