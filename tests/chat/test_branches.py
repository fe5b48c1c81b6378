"""Alternatives: which branch of a conversation is shown, who chooses it, and where a new message goes."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.http import Http404
from django.test import Client
from django.test.utils import CaptureQueriesContext

from chatsite.chat import branches, turns
from chatsite.chat.models import Conversation, Turn
from chatsite.chat.presenting import Entry, entries
from chatsite.chat.refusals import RefusedError
from tests.chat.sockets import make_async, tab
from tests.pages import rows
from tests.sessions import session_of


@pytest.fixture
def forked(alice: Any, defaults: None) -> Turn:
    """A message with two answers, the first of which the conversation had gone on from; gives that first one."""
    first = rows.turn(alice, "Question", "First answer")
    rows.turn(alice, "And then?", "To the first", conversation=first.conversation, parent=first.reply)
    rows.reply(first.message, "Second answer")
    return first


def shown(turn: Turn) -> list[Entry]:
    return entries(Conversation.objects.get(pk=turn.conversation_id))


def texts(turn: Turn) -> list[str]:
    return [entry.text for entry in shown(turn)]


def test_the_branch_that_was_chosen_is_shown_to_its_end(alice: Any, forked: Turn) -> None:
    assert texts(forked) == ["Question", "Second answer"]
    branches.choose(alice, message_id=forked.pk)
    assert texts(forked) == ["Question", "First answer", "And then?", "To the first"]
    branches.choose(alice, message_id=forked.message_id)  # it is there: nothing moves
    assert texts(forked)[-1] == "To the first"


def test_each_message_says_which_of_its_alternatives_it_is(alice: Any, forked: Turn) -> None:
    question, answer = shown(forked)
    assert (question.among.number, question.among.count) == (1, 1)
    assert (answer.among.number, answer.among.count) == (2, 2)
    assert (answer.among.previous, answer.among.next) == (forked.pk, None)


def test_a_new_message_goes_at_the_end_of_what_is_shown(alice: Any, forked: Turn) -> None:
    branches.choose(alice, message_id=forked.pk)
    turns.submit(alice, text="More", conversation_id=forked.conversation_id)
    assert texts(forked)[:5] == ["Question", "First answer", "And then?", "To the first", "More"]


def test_any_answer_is_given_again_and_nothing_is_lost(alice: Any, forked: Turn) -> None:
    branches.choose(alice, message_id=forked.pk)
    again = turns.again(alice, reply_id=forked.pk)
    assert [entry.id for entry in shown(forked)] == [forked.message_id, again.pk]
    assert (shown(forked)[-1].among.number, shown(forked)[-1].among.count) == (3, 3)
    branches.choose(alice, message_id=forked.pk)
    assert texts(forked)[-1] == "To the first"


def test_other_words_are_a_branch_of_their_own_and_nothing_is_lost(alice: Any, forked: Turn) -> None:
    branches.choose(alice, message_id=forked.pk)
    edited = turns.edit(alice, message_id=forked.message_id, text=" Another question ")
    assert [entry.text for entry in shown(forked)] == ["Another question", ""]
    assert (shown(forked)[0].among.number, shown(forked)[0].among.count) == (2, 2)
    assert edited.message.parent is None
    branches.choose(alice, message_id=forked.message_id)
    assert texts(forked) == ["Question", "Second answer"]


def test_other_words_are_answered_by_the_route_that_was_wished_for(alice: Any, defaults: None) -> None:
    turn = turns.submit(alice, text="Hello", wanted_route="generate")
    assert turns.edit(alice, message_id=turn.message_id, text="Hi").wanted_route == "generate"
    assert turns.edit(alice, message_id=turn.message_id, text="/summarise Hi").wanted_route == ""
    Turn.objects.filter(pk=turn.pk).update(wanted_route="gone")
    assert turns.edit(alice, message_id=turn.message_id, text="Hi").wanted_route == ""


def test_other_words_that_are_sent_twice_are_sent_once(alice: Any, forked: Turn) -> None:
    client_id = uuid.uuid4()
    first, second = (turns.edit(alice, message_id=forked.message_id, text="Hi", client_id=client_id) for _ in range(2))
    assert first == second


def test_only_ones_own_messages_are_edited(alice: Any, bob: Any, forked: Turn) -> None:
    for person, message_id in ((bob, forked.message_id), (alice, forked.pk), (alice, "nonsense")):
        with pytest.raises(Http404):
            turns.edit(person, message_id=message_id, text="Hi")
    with pytest.raises(RefusedError):
        turns.edit(alice, message_id=forked.message_id, text=" ")


def test_the_form_for_other_words_works_alone(client: Client, alice: Any, forked: Turn) -> None:
    client.force_login(alice)
    address = f"/messages/{forked.message_id}/edit/"
    page = client.get(address)
    assert "\nQuestion</textarea>" in page.content.decode()
    form = {"text": "</textarea><script>", "client_id": page.context["client_id"]}
    assert client.post(address, {**form, "text": " "}).status_code == 400
    assert client.post(address, form)["Location"] == f"/c/{forked.conversation_id}/"
    assert texts(forked)[0] == "</textarea><script>"
    assert "<script>" not in client.get(f"/messages/{shown(forked)[0].id}/edit/").content.decode()


def test_a_message_that_is_sent_while_the_answer_before_it_is_kept_stays_shown(alice: Any, monkeypatch: Any) -> None:
    kept = rows.turn(alice, "Question", "Kept")
    other = rows.reply(kept.message, "Beside it")
    Conversation.objects.filter(pk=kept.conversation_id).update(leaf=kept.reply, beside=other.reply)

    class Tree(branches.Tree):
        def __init__(self, conversation: Conversation) -> None:
            super().__init__(conversation)
            if not Conversation.objects.get().messages.filter(text="More").exists():  # in another tab
                turns.submit(alice, text="More", conversation_id=conversation.pk)

    monkeypatch.setattr(branches, "Tree", Tree)
    branches.choose(alice, message_id=kept.pk)
    assert texts(kept) == ["Question", "Kept", "More", ""]


def test_what_went_before_in_the_prompt_is_what_is_shown(alice: Any, forked: Turn) -> None:
    from chatsite.chat.answering import _history

    branches.choose(alice, message_id=forked.pk)
    turn = turns.submit(alice, text="More", conversation_id=forked.conversation_id)
    turn.message.created_at -= timedelta(hours=1)  # a clock was set back
    with CaptureQueriesContext(connection) as asked:
        said = [entry.text for entry in _history(turn.message)]
    assert said == ["Question", "First answer", "And then?", "To the first"]
    assert len(asked) == 1
    assert '"prompt"' not in asked[0]["sql"]  # which is large, and has nothing that is needed


def test_nobody_chooses_for_somebody_else(bob: Any, forked: Turn) -> None:
    for message_id in (forked.pk, uuid.uuid4(), "nonsense", None):
        with pytest.raises(Http404):
            branches.choose(bob, message_id=message_id)
    assert texts(forked) == ["Question", "Second answer"]


def test_a_link_to_a_message_shows_its_branch(client: Client, alice: Any, bob: Any, forked: Turn) -> None:
    client.force_login(alice)
    address = f"/c/{forked.conversation_id}/"
    assert client.get(f"{address}?at={forked.pk}")["Location"] == f"{address}?from={forked.pk}#m-{forked.pk}"
    assert texts(forked)[-1] == "To the first"
    assert client.get(f"{address}?at=nonsense").status_code == 404
    client.force_login(bob)
    assert client.get(f"{address}?at={forked.pk}").status_code == 404


def test_the_arrows_are_forms(client: Client, alice: Any, forked: Turn) -> None:
    client.force_login(alice)
    address = f"/messages/{forked.pk}/choose/"
    assert f'formaction="{address}"' in client.get(f"/c/{forked.conversation_id}/").content.decode()
    assert client.post(address)["Location"] == f"/c/{forked.conversation_id}/?from={forked.pk}#m-{forked.pk}"
    assert texts(forked)[-1] == "To the first"


@pytest.mark.django_db(transaction=True)
async def test_all_tabs_hear_which_branch_is_shown_and_of_other_words(alice: Any, forked: Turn) -> None:
    session = await make_async(session_of)(alice)
    async with tab(session) as desk, tab(session) as phone:
        await phone.send(type="ping")
        await phone.until("pong")
        await desk.send(type="choose", message=str(forked.pk))
        for each in (desk, phone):
            assert (await each.until("branch"))["conversation"] == str(forked.conversation_id)
        await desk.send(type="edit", message=str(forked.message_id), text="Hi", client_id=str(uuid.uuid4()))
        for each in (desk, phone):
            assert (await each.until("turn"))["parent"] is None
        for kind in ("choose", "edit"):
            await desk.send(type=kind, message=str(uuid.uuid4()), text="Hi")
            assert (await desk.until("error"))["code"] == "not_found"
    assert (await make_async(texts)(forked)) == ["Hi", ""]
