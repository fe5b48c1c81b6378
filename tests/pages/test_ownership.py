"""Two people and every address of the site: what is Alice's does not exist for Bob or for whoever is not signed in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse
from django.utils import timezone

from chatsite.chat.models import Conversation, Message, Turn
from chatsite.documents.models import Attachment
from tests.pages import rows
from workers.models import Completion

# Addresses whose token is the permission, each with tests of its own.
BY_TOKEN = {"sign-in-by-link", "join-by-invitation", "password-reset-confirm", "shared"}
# Addresses of what is one's own, whoever one is, and those for everybody.
WITHOUT_SIGN_IN = {"sign-in", "sign-out", "choose-language", "join", "password-reset"}


def addresses(patterns: Any = None) -> Iterator[URLPattern]:
    """Every address but those of the admin, which has permissions and tests of its own."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(pattern, URLPattern):
            if pattern.name:
                yield pattern
        elif "admin" not in str(pattern.pattern):
            yield from addresses(pattern.url_patterns)


OF_SOMETHING = sorted(
    (str(pattern.name), tuple(pattern.pattern.converters))
    for pattern in addresses()
    if pattern.pattern.converters and pattern.name not in BY_TOKEN
)
FOR_MEMBERS = sorted(str(pattern.name) for pattern in addresses() if not pattern.pattern.converters)


@pytest.fixture
def hers(alice: Any) -> dict[str, Any]:
    """One of everything that an address can name, all of it Alice's."""
    turn = rows.turn(alice, "A secret question", "A secret answer")
    attachment = Attachment.objects.create(
        owner=alice, conversation=turn.conversation, message=turn.message, name="secret.txt", kind="text", size=1
    )
    return {
        "conversation_id": turn.conversation_id,
        "message_id": turn.message_id,
        "reply_id": turn.pk,
        "attachment_id": attachment.pk,
    }


def state() -> list[Any]:
    models: list[Any] = [Conversation, Message, Turn, Completion, Attachment]
    return [list(model.objects.order_by("pk").values()) for model in models]


def test_there_are_addresses_of_every_kind() -> None:
    assert {argument for _, arguments in OF_SOMETHING for argument in arguments} == {
        *("conversation_id", "message_id", "reply_id", "attachment_id"),
    }


@pytest.mark.parametrize(("name", "arguments"), OF_SOMETHING)
def test_what_is_somebody_elses_does_not_exist(
    name: str, arguments: tuple[str, ...], client: Client, bob: Any, hers: dict[str, Any]
) -> None:
    client.force_login(bob)
    mine = rows.turn(bob)
    before = state()
    address = reverse(name, kwargs={argument: hers[argument] for argument in arguments})
    sent = {"title": "Mine", "text": "Mine", "route": "classify", "value": "up", "tags": "x", "user": bob.pk}
    answers = [client.get(address), client.post(address, sent)]
    assert {response.status_code for response in answers} <= {404, 405}
    assert 404 in {response.status_code for response in answers}
    assert not any(b"secret" in response.content for response in answers)
    assert state() == before
    if len(arguments) > 1:  # nor by way of something of one's own
        mixed = {**{argument: hers[argument] for argument in arguments}, "conversation_id": mine.conversation_id}
        assert b"secret" not in client.get(reverse(name, kwargs=mixed)).content


@pytest.mark.parametrize(("name", "arguments"), OF_SOMETHING)
def test_a_stranger_is_asked_to_sign_in(
    name: str, arguments: tuple[str, ...], client: Client, hers: dict[str, Any]
) -> None:
    before = state()
    address = reverse(name, kwargs={argument: hers[argument] for argument in arguments})
    for response in (client.get(address), client.post(address)):
        assert response.status_code in (302, 401, 405)
        assert response.status_code != 302 or response["Location"].startswith("/sign-in/?next=")
    assert state() == before


@pytest.mark.parametrize("name", [name for name in FOR_MEMBERS if name not in WITHOUT_SIGN_IN])
def test_what_is_ones_own_takes_signing_in(name: str, client: Client, db: None) -> None:
    for response in (client.get(reverse(name)), client.post(reverse(name))):
        assert response.status_code in (302, 401, 405)
        assert response.status_code != 302 or response["Location"].startswith("/sign-in/?next=")


@pytest.mark.parametrize("action", ["archive", "unarchive", "delete", "tag", "delete-all", "archive-all"])
def test_nobody_changes_what_is_somebody_elses_among_many(
    action: str, client: Client, bob: Any, hers: dict[str, Any]
) -> None:
    client.force_login(bob)
    before = state()
    form = {"action": action, "chosen": [hers["conversation_id"], "nonsense"], "tags": "x", "confirmed": "1"}
    assert client.post(reverse("conversations-change"), form).status_code == 302
    deleted = timezone.now()
    Conversation.objects.filter(pk=hers["conversation_id"]).update(deleted_at=deleted)
    client.post(reverse("conversations-restore"), {"undo": deleted.isoformat()})
    Conversation.objects.filter(pk=hers["conversation_id"], deleted_at=deleted).update(deleted_at=None)
    assert state() == before


@pytest.mark.parametrize("form", [{"rating": "nonsense"}, {"rating": "down", "reason": "a\0b"}, {}])
def test_a_rating_that_makes_no_sense_is_no_error_of_ours(
    form: dict[str, str], client: Client, alice: Any, hers: dict[str, Any]
) -> None:
    client.force_login(alice)
    assert client.post(reverse("reply-rate", args=[hers["reply_id"]]), form).status_code < 500
