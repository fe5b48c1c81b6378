"""“Wrong route”: what is filed, who may file it, and the answer that comes instead."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.http import Http404
from django.test import Client
from django.utils import timezone

from chatsite.chat import branches
from chatsite.chat.corrections import correct
from chatsite.chat.models import Conversation, Message, Turn
from chatsite.chat.presenting import entries
from chatsite.chat.refusals import RefusedError
from chatsite.documents.models import Attachment
from router.labelled import MAX_CHARACTERS
from router.models import Correction, Route, Safeguards
from router.revisions import publish
from tests.chat.sockets import make_async, tab
from tests.pages import rows
from tests.sessions import browser_of, session_of
from workers.connections import client

DECIDED = {"route": "summarise", "role": "summarise", "strategy": "classifier", "context": "What came before"}


def answered(user: Any, text: str = "The gist please", **fields: Any) -> Turn:
    """A message that the classifier sent to `summarise`."""
    return rows.turn(user, text, decided=DECIDED, **fields)


def newest(turn: Turn) -> Turn:
    return Turn.objects.filter(message=turn.message_id).latest("queued_at")


def filed(**fields: Any) -> Correction:
    """A correction of a decision of its own."""
    return Correction.objects.create(decision=rows.decision(**DECIDED), text="x", wanted_route="generate", **fields)


def test_a_correction_is_filed_and_the_message_answered_again(alice: Any, defaults: None) -> None:
    turn = answered(alice)
    corrected = correct(alice, reply_id=turn.pk, wanted_route="generate")
    correction = Correction.objects.get()
    assert (correction.decision, correction.user, correction.state) == (turn.decision, alice, "pending")
    assert (correction.text, correction.context) == ("The gist please", "What came before")
    assert correction.wanted_route == "generate"
    assert corrected.turn == newest(turn) != turn
    assert newest(turn).wanted_route == "generate"
    assert corrected.text == "Thank you: an admin will look at it."


def test_what_is_filed_is_what_the_router_has_read(alice: Any, defaults: None) -> None:
    turn = answered(alice, "Shorter")
    sent = {"conversation": turn.conversation, "message": turn.message, "owner": alice, "name": "story.txt"}
    read = {"text": "word " * 30_000, "kind": "text", "status": "done", "finished_at": timezone.now()}
    file = Attachment.objects.create(**sent, **read, size=1)
    Message.objects.filter(pk=turn.message_id).update(text="", attachment_count=1)
    correct(alice, reply_id=turn.pk, wanted_route="generate")
    text = Correction.objects.get().text
    assert text.startswith("word word")
    assert len(text) <= MAX_CHARACTERS  # or nobody could change it in the labelled set
    Correction.objects.all().delete()
    Attachment.objects.filter(pk=file.pk).update(status="failed")  # nothing of it could be read
    Turn.objects.exclude(pk=turn.pk).update(status="failed", finished_at=timezone.now())
    assert correct(alice, reply_id=turn.pk, wanted_route="generate").turn
    assert not Correction.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_nothing_is_locked_while_redis_is_asked(alice: Any, defaults: None, monkeypatch: pytest.MonkeyPatch) -> None:
    turn, asked = answered(alice), []

    def note() -> Any:
        asked.append(connection.in_atomic_block)
        return client()

    monkeypatch.setattr("workers.line.client", note)
    correct(alice, reply_id=turn.pk, wanted_route="generate")
    assert asked == [False]


def test_another_wish_for_the_same_answer_changes_what_is_pending(alice: Any, defaults: None) -> None:
    turn = answered(alice)
    first = correct(alice, reply_id=turn.pk, wanted_route="generate").turn
    Turn.objects.filter(pk=first.pk).update(status="failed", finished_at=timezone.now())
    correct(alice, reply_id=turn.pk, wanted_route="classify")
    assert Correction.objects.get().wanted_route == "classify"
    assert turn.message.turns.count() == 3


def test_a_double_click_files_and_asks_once(alice: Any, defaults: None) -> None:
    turn = answered(alice)
    correct(alice, reply_id=turn.pk, wanted_route="generate")
    with pytest.raises(RefusedError) as refusal:
        correct(alice, reply_id=turn.pk, wanted_route="generate")
    assert refusal.value.code == "still_answering"
    assert Correction.objects.count() == 1
    assert turn.message.turns.count() == 2


@pytest.mark.parametrize("state", ["accepted", "rejected"])
def test_what_was_reviewed_stays_reviewed(alice: Any, defaults: None, state: str) -> None:
    turn = answered(alice)
    first = correct(alice, reply_id=turn.pk, wanted_route="generate").turn
    Turn.objects.filter(pk=first.pk).update(status="failed", finished_at=timezone.now())
    Correction.objects.update(state=state, reviewed_at=timezone.now())
    corrected = correct(alice, reply_id=turn.pk, wanted_route="classify")
    assert corrected.turn
    assert "already" in corrected.text
    correction = Correction.objects.get()
    assert (correction.state, correction.wanted_route) == (state, "generate")


def test_over_the_cap_the_message_is_answered_and_nothing_is_filed(alice: Any, bob: Any, defaults: None) -> None:
    Safeguards.objects.update_or_create(pk=1, defaults={"corrections_per_day": 2})
    filed(user=alice)
    filed(user=bob)
    correct(alice, reply_id=answered(alice).pk, wanted_route="generate")
    corrected = correct(alice, reply_id=answered(alice).pk, wanted_route="generate")
    assert corrected.turn
    assert "used up: there are 2 within 24 hours" in corrected.text
    assert alice.corrections.count() == 2


def test_the_cap_is_over_24_hours(alice: Any, defaults: None) -> None:
    Safeguards.objects.update_or_create(pk=1, defaults={"corrections_per_day": 1})
    filed(user=alice)
    Correction.objects.update(filed_at=timezone.now() - timedelta(hours=25))
    correct(alice, reply_id=answered(alice).pk, wanted_route="generate")
    assert alice.corrections.count() == 2


def test_an_earlier_answer_is_corrected_too_and_what_came_after_it_is_kept(alice: Any, defaults: None) -> None:
    turn = answered(alice)
    later = rows.turn(alice, "And now?", conversation=turn.conversation, parent=turn.reply)
    corrected = correct(alice, reply_id=turn.pk, wanted_route="generate")
    conversation = Conversation.objects.get()
    assert [entry.id for entry in entries(conversation)] == [turn.message_id, corrected.turn.pk]
    assert Correction.objects.count() == 1
    branches.choose(alice, message_id=turn.pk)
    assert entries(Conversation.objects.get())[-1].id == later.pk


def test_ones_own_choice_is_answered_again_without_a_correction(alice: Any, defaults: None) -> None:
    turn = rows.turn(alice, decided={**DECIDED, "strategy": "explicit"})
    corrected = correct(alice, reply_id=turn.pk, wanted_route="generate")
    assert corrected.turn == newest(turn) != turn
    assert corrected.text == ""
    assert not Correction.objects.exists()


@pytest.mark.parametrize("route", ["", "nonsense", "secret", "off"])
def test_a_route_that_one_may_not_use_is_unknown(alice: Any, defaults: None, route: str) -> None:
    for name in ("secret", "off"):
        made = Route.objects.create(name=name, title=name, description="x", role="generate", is_enabled=name != "off")
        made.rules.create(value="x")
    Route.objects.get(name="secret").groups.add(Group.objects.create(name="few"))
    publish(None)
    turn = answered(alice)
    with pytest.raises(RefusedError) as refusal:
        correct(alice, reply_id=turn.pk, wanted_route=route)
    assert refusal.value.code == "unknown_route"
    assert "/secret" not in refusal.value.text.split("You can use")[1]
    assert not Correction.objects.exists()
    assert turn.message.turns.count() == 1


def test_the_route_that_has_answered_is_no_other_route(alice: Any, defaults: None) -> None:
    with pytest.raises(RefusedError) as refusal:
        correct(alice, reply_id=answered(alice).pk, wanted_route="summarise")
    assert refusal.value.code == "same_route"


def test_an_answer_of_somebody_else_is_not_there(alice: Any, bob: Any, defaults: None) -> None:
    turn = answered(alice)
    for reply_id in (turn.pk, uuid.uuid4(), "nonsense", None):
        with pytest.raises(Http404):
            correct(bob, reply_id=reply_id, wanted_route="generate")
    assert not Correction.objects.exists()


def test_an_answer_that_is_not_finished_cannot_be_corrected(alice: Any, defaults: None) -> None:
    with pytest.raises(RefusedError):
        correct(alice, reply_id=answered(alice, status="running").pk, wanted_route="generate")
    with pytest.raises(Http404):  # it failed before there was a decision
        correct(alice, reply_id=rows.undecided(alice, "failed", finished_at=timezone.now()).pk, wanted_route="generate")


# --- By the socket ----------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
async def test_all_tabs_get_the_new_answer_and_the_one_that_asked_is_thanked(alice: Any, defaults: None) -> None:
    turn = await make_async(answered)(alice)
    session = await make_async(session_of)(alice)
    async with tab(session) as desk, tab(session) as phone:
        await phone.send(type="ping")
        await phone.until("pong")
        await desk.send(type="correct", reply=str(turn.pk), route="generate")
        frame = await desk.until("turn")
        corrected = await desk.until("corrected")
        theirs = await phone.until("turn")
        await phone.send(type="ping")
        await phone.until("pong")
    assert frame["parent"] == str(turn.message_id)
    assert theirs["reply"] == frame["reply"]
    assert corrected["text"] == "Thank you: an admin will look at it."
    assert not [frame for frame in phone.frames if frame["type"] == "corrected"]
    assert await Correction.objects.acount() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("route", "code"), [("nonsense", "unknown_route"), ("", "unknown_route"), (["generate"], "bad_frame")]
)
async def test_the_socket_refuses_in_words(alice: Any, defaults: None, route: Any, code: str) -> None:
    turn = await make_async(answered)(alice)
    async with tab(await make_async(session_of)(alice)) as alice_tab:
        await alice_tab.send(type="correct", reply=str(turn.pk), route=route)
        error = await alice_tab.until("error")
    assert (error["code"], error["reply"]) == (code, str(turn.pk))
    assert error["text"]


@pytest.mark.django_db(transaction=True)
async def test_nobody_corrects_for_somebody_else(alice: Any, bob: Any, defaults: None) -> None:
    turn = await make_async(answered)(alice)
    async with tab(await make_async(session_of)(bob)) as bob_tab:
        await bob_tab.send(type="correct", reply=str(turn.pk), route="generate")
        assert (await bob_tab.until("error"))["code"] == "not_found"
    assert not await Correction.objects.aexists()


# --- By the form ------------------------------------------------------------------------------------------------


def test_the_form_works_alone(alice: Any, defaults: None) -> None:
    turn = answered(alice)
    client = browser_of(alice)
    page = client.get(f"/c/{turn.conversation_id}/").content.decode()
    address = f"/replies/{turn.pk}/correct/"
    assert f'name="route" value="generate" formaction="{address}"' in page
    assert f'name="route" value="summarise" formaction="{address}"' not in page
    page = client.post(address, {"route": "generate"}, follow=True).content.decode()
    assert "Thank you: an admin will look at it." in page
    assert newest(turn).wanted_route == "generate"
    assert Correction.objects.get().wanted_route == "generate"


def test_the_thanks_stay_until_the_page_is_complete(alice: Any, defaults: None) -> None:
    turn = answered(alice)
    client = browser_of(alice)
    client.post(f"/replies/{turn.pk}/correct/", {"route": "generate"})
    page = f"/c/{turn.conversation_id}/"
    for _ in range(2):  # without a script, the page loads itself again while an answer is written
        assert "Thank you" in client.get(page).content.decode()
    Turn.objects.filter(pk=newest(turn).pk).update(status="failed", finished_at=timezone.now())
    assert "Thank you" in client.get(page).content.decode()
    assert "Thank you" not in client.get(page).content.decode()


def test_ones_own_choice_offers_other_routes_only(alice: Any, defaults: None) -> None:
    turn = rows.turn(alice, decided={**DECIDED, "strategy": "explicit"})
    page = browser_of(alice).get(f"/c/{turn.conversation_id}/").content.decode()
    assert "Another route" in page
    assert "Wrong route" not in page
    assert f'name="route" value="generate" formaction="/replies/{turn.pk}/again/"' in page


def test_the_form_refuses_in_words(alice: Any, defaults: None) -> None:
    turn = answered(alice)
    response = browser_of(alice).post(f"/replies/{turn.pk}/correct/", {"route": "nonsense"})
    assert response.status_code == 400
    assert "There is no route /nonsense." in response.content.decode()


def test_the_form_is_for_the_owner_and_by_post(alice: Any, bob: Any, defaults: None) -> None:
    address = f"/replies/{answered(alice).pk}/correct/"
    assert browser_of(bob).post(address, {"route": "generate"}).status_code == 404
    assert browser_of(alice).get(address).status_code == 405
    assert Client().post(address, {"route": "generate"}).status_code == 302
    assert not Correction.objects.exists()
