"""Who may use what: a route or a model of a group is there for the group alone, from the menu to the fallback."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from chatsite.chat import presenting, turns
from chatsite.chat.models import Turn
from chatsite.chat.refusals import RefusedError
from router.models import Route
from router.revisions import publish
from tests.chat.deciding import decided
from tests.conftest import Connect
from tests.pages import rows
from tests.processes import Process, wait_until


@pytest.fixture
def lawyers(defaults: None) -> Group:
    """A group with a route of its own."""
    group = Group.objects.create(name="Lawyers")
    route = Route.objects.create(name="legal", title="Contracts", description="Contracts.", role="generate")
    route.groups.set([group])
    route.examples.create(text="may I cancel this contract")
    route.rules.create(value="clause")
    publish(None)
    return group


def test_the_menu_offers_what_the_person_may_use(client: Client, alice: Any, lawyers: Group) -> None:
    client.force_login(alice)
    assert "Contracts" not in client.get("/").content.decode()
    alice.groups.add(lawyers)
    assert "Contracts" in client.get("/").content.decode()


@pytest.mark.parametrize("text", ["/legal may I?", "May I?"])
def test_a_route_of_others_does_not_exist(alice: Any, lawyers: Group, text: str) -> None:
    with pytest.raises(RefusedError) as refused:
        turns.submit(alice, text=text, wanted_route="" if text.startswith("/") else "legal")
    assert refused.value.code == "unknown_route"
    assert "/legal" not in refused.value.text.partition("There are")[2]
    assert "Contracts" not in refused.value.text


def test_not_even_an_old_answer_names_a_route_that_was_taken_away(alice: Any, lawyers: Group) -> None:
    scores = {"generate": 0.5, "legal": 0.3}
    decided = {"scores": scores, "evidence": {"runner_up": "legal", "margin": 0.2}}
    alice.groups.add(lawyers)
    turn = rows.turn(alice, decided=decided)

    def names_it() -> bool:
        return "Contracts" in presenting.render_decision(*presenting.shown_turns(turn.pk))

    assert names_it()
    alice.groups.remove(lawyers)
    assert not names_it()
    Route.objects.get(name="legal").delete()
    publish(None)
    assert not names_it()


def answered(turn: Turn) -> Turn:
    def current() -> Turn:
        return Turn.objects.select_related("completion", "decision").get(pk=turn.pk)

    wait_until(lambda: not current().answer.is_open, what="the answer")
    return current()


@pytest.mark.processes
def test_rules_and_scores_lead_to_a_route_of_the_group_only_for_its_members(
    alice: Any, bob: Any, lawyers: Group, workers: Process
) -> None:
    bob.groups.add(lawyers)
    text = "What does this clause mean?"
    for person, route in ((alice, "generate"), (bob, "legal")):
        decision = answered(turns.submit(person, text=text)).decision
        assert decision
        assert decision.route == route
        assert ("legal" in str(decision.scores)) == (person is bob and decision.strategy != "rule")
        assert decision.groups == [group.pk for group in person.groups.all()]


@pytest.mark.processes
def test_a_model_of_the_group_is_neither_asked_nor_fallen_back_to_for_others(
    alice: Any, bob: Any, lawyers: Group, connect: Connect, workers: Process
) -> None:
    special, plain = connect("error500", "tokens5")
    special.groups.set([lawyers])
    bob.groups.add(lawyers)
    publish(None)
    mine, theirs = (answered(turns.submit(person, text="/generate Hello")) for person in (alice, bob))
    assert mine.completion
    assert (mine.completion.model, mine.completion.fallbacks) == (plain, [])
    assert theirs.completion
    assert (theirs.completion.model, theirs.completion.fallbacks) == (special, [plain.pk])


@pytest.mark.processes
def test_what_is_taken_away_is_taken_away_before_the_next_publication(
    alice: Any, lawyers: Group, connect: Connect, workers: Process
) -> None:
    special, plain = connect("tokens4", "tokens5")
    special.groups.set([lawyers])
    turn = answered(turns.submit(alice, text="/generate Hello"))
    assert turn.completion
    assert turn.completion.model == plain


def test_an_old_answer_does_not_name_a_route_that_was_taken_away(client: Client, bob: Any, lawyers: Group) -> None:
    bob.groups.add(lawyers)
    turn = decided(bob, "Write a poem about autumn leaves")
    address = f"/c/{turn.conversation_id}/"
    client.force_login(bob)
    assert "Contracts" in client.get(address).content.decode()
    bob.groups.clear()
    assert "Contracts" not in client.get(address).content.decode()
