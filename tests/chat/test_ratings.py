"""Good or bad: one rating per person and answer, changed and taken back, and never a correction."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import IntegrityError
from django.http import Http404
from django.test import Client

from chatsite.chat import ratings
from chatsite.chat.models import Conversation, Rating, Turn
from chatsite.chat.presenting import entries
from chatsite.chat.refusals import RefusedError
from router.models import Correction
from tests.chat.sockets import make_async, tab
from tests.pages import rows
from tests.sessions import session_of

EVIL = '"><img src=x onerror=alert(1)>'


@pytest.fixture
def turn(alice: Any) -> Turn:
    return rows.turn(alice)


def rating() -> tuple[str, str]:
    found = Rating.objects.get()
    return found.value, found.reason


def test_a_rating_is_given_changed_and_taken_back(alice: Any, turn: Turn) -> None:
    ratings.rate(alice, reply_id=turn.pk, value="down")
    ratings.rate(alice, reply_id=turn.pk, value="down", reason="  Not what\n I asked ")
    assert rating() == ("down", "Not what I asked")
    ratings.rate(alice, reply_id=turn.pk, value="down")
    assert rating() == ("down", "Not what I asked")
    ratings.rate(alice, reply_id=turn.pk, value="up")
    assert rating() == ("up", "")  # the reason was one for the other
    assert entries(Conversation.objects.get())[-1].rating == "up"
    ratings.rate(alice, reply_id=turn.pk, value="")
    assert not Rating.objects.exists()
    assert not Correction.objects.exists()


def test_what_is_no_rating_is_refused(alice: Any, turn: Turn) -> None:
    with pytest.raises(RefusedError):
        ratings.rate(alice, reply_id=turn.pk, value="sideways")
    with pytest.raises(RefusedError):
        ratings.rate(alice, reply_id=rows.turn(alice, status="running").pk, value="up")
    with pytest.raises(IntegrityError):
        Rating.objects.create(turn=turn, user=alice, value="sidw")


def test_only_ones_own_answers_are_rated(bob: Any, turn: Turn) -> None:
    for reply_id in (turn.pk, uuid.uuid4(), None):
        with pytest.raises(Http404):
            ratings.rate(bob, reply_id=reply_id, value="up")
    assert not Rating.objects.exists()


def test_the_buttons_are_forms_and_a_reason_is_text(client: Client, alice: Any, turn: Turn) -> None:
    client.force_login(alice)
    page, address = f"/c/{turn.conversation_id}/", f"/replies/{turn.pk}/rate/"
    assert f'formaction="{address}" name="rating" value="down"' in client.get(page).content.decode()
    assert client.get(address).status_code == 302  # there is nothing to say why of
    client.post(address, {"rating": "down"})
    assert f'formaction="{address}" name="rating" value=""' in client.get(page).content.decode()
    client.post(address, {"rating": "down", "reason": EVIL})
    for shown in (page, address):
        assert "<img" not in client.get(shown).content.decode()
        assert "&lt;img" in client.get(shown).content.decode()


@pytest.mark.django_db(transaction=True)
async def test_all_tabs_hear_of_a_rating(alice: Any) -> None:
    turn = await make_async(rows.turn)(alice)
    session = await make_async(session_of)(alice)
    async with tab(session) as desk, tab(session) as phone:
        await phone.send(type="ping")
        await phone.until("pong")
        await desk.send(type="rate", reply=str(turn.pk), rating="up", reason="Short")
        for each in (desk, phone):
            frame = await each.until("rated")
            assert (frame["rating"], "Short" in frame["html"]) == ("up", True)
        await desk.send(type="rate", reply=str(turn.pk), rating=7)
        assert (await desk.until("error"))["code"] == "bad_frame"
