"""A second answer beside the first: by which routes and models, for whom, and what becomes of the two."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.http import Http404
from django.test import Client

from chatsite.chat import answering, branches, turns
from chatsite.chat.comparing import compare
from chatsite.chat.models import Conversation, Turn
from chatsite.chat.presenting import Entry, entries
from chatsite.chat.refusals import RefusedError
from router.models import Route
from router.revisions import publish
from tests.chat.sockets import make_async, tab
from tests.conftest import Connect
from tests.pages import rows
from tests.sessions import session_of
from workers import attempts
from workers.models import Model


def shown(turn: Turn) -> list[Entry]:
    return entries(Conversation.objects.get(pk=turn.conversation_id))


def decide(turn: Turn) -> Turn:
    with attempts.claimed(Turn, str(turn.pk), turn.attempt) as held:
        assert held is not None
        answering.answer(*held)
    return Turn.objects.select_related("completion__model", "decision").get(pk=turn.pk)


@pytest.fixture
def turn(alice: Any, connect: Connect) -> Turn:
    """An answer of the first of two models of the route; a third one is not for her yet."""
    first, _, third = connect("tokens2", "echo", "tokens3")
    third.name = "third"
    third.save()
    third.groups.set([Group.objects.create(name="others")])
    return rows.turn(alice, "Question", "First", answered_by=first)


def test_what_there_is_to_compare_with_is_offered(turn: Turn) -> None:
    answer = shown(turn)[-1]
    assert list(answer.other_models.values()) == ["echo"]
    assert set(answer.other_routes) == {"summarise", "classify"}


def test_another_model_of_the_route_answers_beside_it_and_no_other(alice: Any, turn: Turn) -> None:
    echo = Model.objects.get(name="echo")
    beside = decide(compare(alice, reply_id=turn.pk, wanted_model=str(echo.pk)))
    assert beside.completion
    assert beside.decision
    assert (beside.completion.model, beside.completion.fallbacks) == (echo, [])
    assert (beside.decision.route, beside.decision.strategy) == ("generate", "explicit")
    why = shown(turn)[-1].why
    assert why
    assert why.strategy == "You chose Chat, and this model."
    assert [(entry.id, entry.is_compared) for entry in shown(turn)] == [
        (turn.message_id, False),
        (turn.pk, True),
        (beside.pk, True),
    ]


def test_the_one_that_is_kept_is_shown_alone_and_the_conversation_goes_on_from_it(alice: Any, turn: Turn) -> None:
    later = rows.turn(alice, "And then?", conversation=turn.conversation, parent=turn.reply)
    beside = compare(alice, reply_id=turn.pk, wanted_route="summarise")
    branches.choose(alice, message_id=beside.pk)
    assert [entry.id for entry in shown(turn)] == [turn.message_id, beside.pk]
    assert shown(turn)[-1].among.count == 2
    branches.choose(alice, message_id=turn.pk)
    assert shown(turn)[-1].id == later.pk


def test_a_message_that_is_sent_without_choosing_follows_the_first(alice: Any, turn: Turn) -> None:
    compare(alice, reply_id=turn.pk, wanted_route="summarise")
    new = turns.submit(alice, text="And then?", conversation_id=turn.conversation_id)
    assert [entry.id for entry in shown(turn)] == [turn.message_id, turn.pk, new.message_id, new.pk]


def test_what_one_may_not_use_is_neither_offered_nor_named_nor_asked(alice: Any, turn: Turn) -> None:
    group = Group.objects.create(name="few")
    echo = Model.objects.get(name="echo")
    secret = Route.objects.create(name="secret", title="Secret", description="x", role="generate")
    secret.groups.set([group])
    secret.rules.create(value="x")
    echo.groups.set([group])
    publish(None)
    assert not shown(turn)[-1].other_models
    assert "secret" not in shown(turn)[-1].other_routes
    for wish in ({"wanted_model": str(echo.pk)}, {"wanted_route": "secret"}, {}, {"wanted_model": "²"}):
        with pytest.raises(RefusedError) as refused:
            compare(alice, reply_id=turn.pk, **wish)
        assert "echo" not in refused.value.text
        assert "Secret" not in refused.value.text
    assert Turn.objects.count() == 1
    alice.groups.add(group)
    assert list(shown(turn)[-1].other_models.values()) == ["echo"]


def test_a_model_that_is_taken_away_meanwhile_does_not_answer(alice: Any, turn: Turn) -> None:
    echo = Model.objects.get(name="echo")
    beside = compare(alice, reply_id=turn.pk, wanted_model=str(echo.pk))
    echo.groups.set([Group.objects.create(name="few")])
    decided = decide(beside)
    assert (decided.status, decided.error_code, decided.completion) == ("failed", "model_gone", None)
    answer = shown(turn)[-1]
    assert "echo" not in str(answer)
    assert not answer.other_models
    # Where there is another one, that may take its place beside the first answer, or alone.
    third = Model.objects.get(name="third")
    third.groups.clear()
    answer = shown(turn)[-1]
    assert (answer.base, answer.other_models) == (turn.pk, {third.pk: "third"})
    branches.choose(alice, message_id=beside.pk)
    assert shown(turn)[-1].other_models[third.pk] == "third"
    new = turns.again(alice, reply_id=beside.pk, wanted_model=str(third.pk))
    assert (new.wanted_route, new.wanted_model) == ("generate", third)
    assert [entry.id for entry in shown(turn)] == [turn.message_id, new.pk]


def test_with_its_route_the_model_is_not_wished_for_any_more(alice: Any, turn: Turn) -> None:
    first = turns.again(alice, reply_id=turn.pk, wanted_model=str(Model.objects.get(name="echo").pk))
    first.cancel_waiting()
    same = turns.again(alice, reply_id=first.pk)
    same.cancel_waiting()
    assert (same.wanted_route, same.wanted_model_id) == ("generate", first.wanted_model_id)
    Route.objects.filter(name="generate").update(name="talk")
    publish(None)
    new = turns.again(alice, reply_id=same.pk)
    assert (new.wanted_route, new.wanted_model_id) == ("", None)


def test_a_third_model_takes_the_place_of_the_second(client: Client, alice: Any, turn: Turn) -> None:
    echo, third = Model.objects.get(name="echo"), Model.objects.get(name="third")
    third.groups.clear()
    beside = decide(compare(alice, reply_id=turn.pk, wanted_model=str(echo.pk)))
    assert beside.completion
    beside.completion.cancel_waiting()
    assert [entry.base for entry in shown(turn)[1:]] == [turn.pk, beside.pk]
    client.force_login(alice)
    page = client.get(f"/c/{turn.conversation_id}/").content.decode()
    assert page.count('aria-label="Compare with third"') == 2
    new = compare(alice, reply_id=turn.pk, wanted_model=str(third.pk))
    assert [entry.id for entry in shown(turn)] == [turn.message_id, turn.pk, new.pk]


def test_names_of_models_stay_text(client: Client, alice: Any, turn: Turn) -> None:
    Model.objects.filter(name="echo").update(name='"><img src=x onerror=alert(1)>')
    client.force_login(alice)
    page = client.get(f"/c/{turn.conversation_id}/").content.decode()
    assert "&lt;img src=x" in page
    assert "<img" not in page


def test_only_ones_own_finished_answers_are_compared(alice: Any, bob: Any, turn: Turn) -> None:
    for reply_id in (turn.pk, uuid.uuid4(), None):
        with pytest.raises(Http404):
            compare(bob, reply_id=reply_id, wanted_route="summarise")
    compare(alice, reply_id=turn.pk, wanted_route="summarise")
    with pytest.raises(RefusedError):
        compare(alice, reply_id=turn.pk, wanted_route="summarise")


def test_the_buttons_are_forms(client: Client, alice: Any, turn: Turn) -> None:
    client.force_login(alice)
    address = f"/replies/{turn.pk}/compare/"
    assert f'formaction="{address}"' in client.get(f"/c/{turn.conversation_id}/").content.decode()
    assert client.post(address, {"model": "0"}).status_code == 400
    client.post(address, {"route": "summarise"})
    page = client.get(f"/c/{turn.conversation_id}/").content.decode()
    assert page.count("Keep this one") == 2
    client.post(f"/messages/{turn.pk}/choose/")
    assert "Keep this one" not in client.get(f"/c/{turn.conversation_id}/").content.decode()


@pytest.mark.django_db(transaction=True)
async def test_all_tabs_hear_of_it(alice: Any, connect: Connect) -> None:
    await make_async(connect)("tokens2")
    turn = await make_async(rows.turn)(alice)
    async with tab(await make_async(session_of)(alice)) as alice_tab:
        await alice_tab.send(type="compare", reply=str(turn.pk), route="summarise")
        assert (await alice_tab.until("branch"))["conversation"] == str(turn.conversation_id)
        await alice_tab.send(type="compare", reply=str(uuid.uuid4()), model="1")
        assert (await alice_tab.until("error"))["code"] == "not_found"
