"""A canary and a shadow in real worker processes: who answers whom, and a bad canary that is taken back by itself."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import Group

from chatsite.chat import turns
from chatsite.chat.models import Conversation, Turn
from router import revisions, rollouts
from router.models import AuditEntry, Decision, Revision, Rollout, Route, RunningProcess
from tests.conftest import Connect
from tests.processes import wait_until
from workers.models import Completion, Model

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]


def conversations(user: Any, rollout: Rollout, is_taken: bool, count: int) -> list[Conversation]:
    """New ones that belong to the rollout's share, or do not."""
    found: list[Conversation] = []
    while len(found) < count:
        conversation = Conversation(user=user, pk=uuid.uuid4())
        if rollout.takes(conversation.pk) == is_taken:
            conversation.save()
            found.append(conversation)
    return found


def ask(user: Any, *where: Conversation, text: str = "Hello", route: str = "generate") -> list[Any]:
    """Send a message to each conversation, and wait until all have been answered."""
    sent = [turns.submit(user, text=text, conversation_id=each.pk, wanted_route=route) for each in where]
    mine = Turn.objects.filter(pk__in=[turn.pk for turn in sent]).select_related("decision", "completion")
    wait_until(lambda: not any(turn.answer.is_open for turn in mine.all()), 60, "the answers")
    return list(mine.all())


def use_model(name: str) -> None:
    """Have the draft's generate route ask the fake provider for a model that does what its name says."""
    route = Route.objects.get(name="generate")
    known = Model.objects.get(provider__name="Fake")
    model = Model.objects.create(provider=known.provider, name=name, identifier=name)
    route.route_models.all().delete()
    route.route_models.create(model=model)


def wait_for_processes(**runs: int) -> None:
    """Until the worker says that it runs these revisions."""
    wait_until(lambda: RunningProcess.objects.filter(**runs).exists(), what=f"a process that runs {runs}")


def test_a_failing_canary_is_rolled_back_by_itself(
    workers: Any, connect: Connect, alice: Any, admin: Any, settings: Any
) -> None:
    settings.WAITING_PER_PERSON = 12
    connect("tokens3")
    use_model("error400")
    canary = rollouts.start_draft(Rollout.Kind.CANARY, 50, admin, "does not work")
    wait_for_processes(canary=canary.revision_id)
    taken = conversations(alice, canary, True, 12)
    assert {turn.answer.status for turn in ask(alice, *taken)} == {"failed"}
    assert {turn.answer.status for turn in ask(alice, *conversations(alice, canary, False, 12))} == {"done"}

    wait_until(lambda: not Rollout.objects.filter(ended_at=None).exists(), 60, "the rollback")
    canary.refresh_from_db()
    assert canary.outcome == "rolled_back"
    assert "12 of 12 answers failed" in canary.reason
    entry = AuditEntry.objects.get(action="rollout_end")
    assert (entry.actor, entry.detail["rollout"]) == (None, canary.pk)

    live = Revision.objects.get(is_live=True).number
    wait_until(lambda: ask(alice, taken[0])[0].decision.revision_id == live, 30, "the live revision to answer again")
    assert ask(alice, taken[1])[0].answer.status == "done"


def test_a_conversation_keeps_what_it_got(workers: Any, connect: Connect, alice: Any, admin: Any) -> None:
    connect("tokens3")
    use_model("echo")
    canary = rollouts.start_draft(Rollout.Kind.CANARY, 50, admin)
    wait_for_processes(canary=canary.revision_id)
    taken, left = (conversations(alice, canary, is_taken, 3) for is_taken in (True, False))
    for text in ("first", "second"):
        answered = ask(alice, *taken, *left, text=text)
        by_canary = {turn.conversation_id for turn in answered if turn.decision.revision_id == canary.revision_id}
        assert by_canary == {conversation.pk for conversation in taken}
        assert {turn.completion.text for turn in answered if turn.conversation_id in by_canary} == {text}
        assert {turn.completion.text for turn in answered if turn.conversation_id not in by_canary} == {"t0 t1 t2 "}


def test_a_shadow_decides_and_never_answers(workers: Any, connect: Connect, alice: Any, admin: Any) -> None:
    connect("tokens3")
    live = Revision.objects.get(is_live=True).number
    Route.objects.get(name="classify").rules.create(kind="pattern", value="lighthouse")
    shadow = rollouts.start_draft(Rollout.Kind.SHADOW, 100, admin)
    wait_for_processes(shadow=shadow.revision_id)
    (turn,) = ask(alice, Conversation.objects.create(user=alice), text="Write a poem about a lighthouse", route="")
    assert (turn.decision.revision_id, turn.decision.route, turn.answer.status) == (live, "generate", "done")
    wait_until(lambda: Decision.objects.filter(shadow_of=turn.decision).exists(), what="the shadow's decision")
    decided = Decision.objects.get(shadow_of=turn.decision)
    assert (decided.revision_id, decided.route) == (shadow.revision_id, "classify")
    assert Completion.objects.count() == 1


def test_a_canary_gives_nobody_a_route_that_is_not_for_them(
    workers: Any, connect: Connect, alice: Any, bob: Any, admin: Any
) -> None:
    connect("tokens3")
    team = Group.objects.create(name="Team")
    alice.groups.add(team)
    secret = Route.objects.create(name="secret", title="Secret", description="", role="generate", position=9)
    secret.groups.add(team)
    secret.rules.create(kind="pattern", value="lighthouse")
    secret.route_models.create(model=Model.objects.get(name="tokens3"))
    proven = revisions.make_revision(admin, evaluation={"passes": True})
    canary = rollouts.start(Rollout.Kind.CANARY, proven, 100, admin)
    wait_for_processes(canary=canary.revision_id)
    for user, expected in ((alice, "secret"), (bob, "generate")):
        (turn,) = ask(user, Conversation.objects.create(user=user), text="The lighthouse, please: a poem", route="")
        assert (turn.decision.revision_id, turn.decision.route) == (canary.revision_id, expected)
        assert "secret" not in turn.decision.scores
