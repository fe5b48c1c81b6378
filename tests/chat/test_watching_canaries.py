"""What counts for and against a canary, and when a look at it leads to something."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from chatsite.chat.models import Conversation, Message, Turn
from chatsite.routing import watching
from router import rollouts
from router.models import AuditEntry, Correction, Decision, Revision, Rollout, Safeguards
from router.revisions import make_revision, publish
from workers.jobs import Job
from workers.models import Completion

Status = Job.Status


@pytest.fixture
def canary(defaults: None, admin: Any) -> Rollout:
    return rollouts.start(Rollout.Kind.CANARY, make_revision(admin), 50, admin)


@pytest.fixture
def live(defaults: None) -> int:
    return Revision.objects.get(is_live=True).number


class Answers:
    """Makes turns as workers leave them, each in a conversation of its own."""

    def __init__(self, user: Any) -> None:
        self.user = user

    def conversation(self, rollout: Rollout | None = None) -> Conversation:
        """One that the rollout takes, if one is given."""
        while True:
            conversation = Conversation(user=self.user)
            if rollout is None or rollout.takes(conversation.pk):
                conversation.save()
                return conversation

    def turn(self, conversation: Conversation, began_at: Any = None, **fields: Any) -> Turn:
        written = Message.objects.create(conversation=conversation, role="user", text="Hello", user=self.user)
        reply = Message.objects.create(
            conversation=conversation, parent=written, role="assistant", created_at=began_at or timezone.now()
        )
        return Turn.objects.create(reply=reply, message=written, conversation=conversation, **fields)

    def answer(self, revision: int, status: str = "done", seconds: float | None = 1.0, age: float = 60.0) -> Turn:
        """One that a revision decided `age` seconds ago. `seconds` until it began; None: it never did."""
        began_at = timezone.now() - timedelta(seconds=age)
        decision = Decision.objects.create(
            revision_id=revision, route="generate", role="generate", strategy="classifier", duration_ms=3
        )
        is_open = status in Job.OPEN
        turn = self.turn(self.conversation(), began_at, status="done", finished_at=began_at, decision=decision)
        turn.completion = Completion.objects.create(
            reply_id=turn.pk,
            role="generate",
            prompt=[],
            status=status,
            started_at=began_at,
            first_token_at=None if seconds is None else began_at + timedelta(seconds=seconds),
            finished_at=None if is_open else began_at + timedelta(seconds=(seconds or 0) + 5),
        )
        turn.save()
        return turn

    def many(self, count: int, *args: Any, **fields: Any) -> list[Any]:
        return [self.answer(*args, **fields) for _ in range(count)]


@pytest.fixture
def answers(alice: Any) -> Answers:
    return Answers(alice)


def long_ago(rollout: Rollout) -> Rollout:
    Rollout.objects.filter(pk=rollout.pk).update(started_at=timezone.now() - timedelta(days=1))
    rollout.refresh_from_db()
    return rollout


def test_what_people_stopped_is_no_error_and_what_was_set_aside_is(
    canary: Rollout, answers: Answers, live: int
) -> None:
    for status in (Status.DONE, Status.FAILED, Status.QUARANTINED, Status.CANCELLED, Status.RUNNING):
        answers.answer(canary.revision_id, status)
    answers.many(3, live)
    seen = watching.observe(canary)["start"]
    assert (seen.canary.answers, seen.canary.errors, seen.canary.decisions) == (3, 2, 5)
    assert (seen.live.answers, seen.live.errors) == (3, 0)


def test_an_answer_takes_until_its_first_token(canary: Rollout, answers: Answers) -> None:
    answers.answer(canary.revision_id, seconds=2)
    answers.answer(canary.revision_id, seconds=None)  # a model that has no first token: until it is done
    answers.answer(canary.revision_id, Status.RUNNING, seconds=None, age=90)  # still waited for
    answers.answer(canary.revision_id, Status.FAILED, seconds=None)  # an error, and no time
    assert sorted(watching.observe(canary)["start"].canary.seconds) == pytest.approx([2, 5, 90], abs=1)


def test_a_message_that_no_decision_came_of_counts_for_the_revision_that_had_it(
    canary: Rollout, answers: Answers
) -> None:
    answers.turn(answers.conversation(canary), status=Status.QUARANTINED, finished_at=timezone.now())
    seen = watching.observe(canary)["start"]
    assert (seen.canary.answers, seen.canary.errors) == (1, 1)
    assert seen.live.answers == 0


def people(number: int) -> list[Any]:
    return [get_user_model().objects.create_user(f"person-{each}") for each in range(number)]


def test_routes_that_people_call_wrong_are_counted_unless_an_admin_disagreed(canary: Rollout, answers: Answers) -> None:
    states = (Correction.State.PENDING, Correction.State.ACCEPTED, Correction.State.REJECTED)
    for state, turn, person in zip(states, answers.many(3, canary.revision_id), people(3), strict=True):
        reviewed_at = None if state == "pending" else timezone.now()
        Correction.objects.create(
            decision=turn.decision, user=person, text="Hello", wanted_route="x", state=state, reviewed_at=reviewed_at
        )
    seen = watching.observe(canary)["start"]
    assert (seen.canary.wrong_routes, seen.canary.decisions) == (2, 3)


def test_only_live_answers_of_the_same_time_count_if_there_are_enough(
    canary: Rollout, answers: Answers, live: int
) -> None:
    Decision.objects.filter(pk__in=[turn.decision_id for turn in answers.many(20, live, Status.FAILED)]).update(
        decided_at=timezone.now() - timedelta(days=2)
    )
    assert watching.observe(canary)["start"].live.errors == 20  # better than none
    answers.many(10, live)
    assert (watching.observe(canary)["start"].live.answers, watching.observe(canary)["start"].live.errors) == (10, 0)


def test_a_canary_that_everybody_gets_is_compared_with_what_was_live_before(
    canary: Rollout, answers: Answers, live: int, admin: Any
) -> None:
    answers.many(12, live)
    answers.many(3, publish(admin).number)
    Revision.objects.filter(pk=canary.revision_id).update(evaluation={"passes": True})
    everybody = rollouts.start(Rollout.Kind.CANARY, Revision.objects.get(pk=canary.revision_id), 100, admin)
    answers.many(12, everybody.revision_id, Status.FAILED, seconds=None)
    watching.watch()
    everybody.refresh_from_db()
    assert (everybody.outcome, everybody.looks) == ("rolled_back", 1)
    own = rollouts.start(Rollout.Kind.CANARY, Revision.objects.get(pk=live), 100, admin)
    assert watching.observe(own)["start"].live.answers == 3  # when it was live itself, it was no other


@pytest.mark.parametrize("status", [Status.FAILED, Status.QUARANTINED])
def test_a_canary_that_fails_is_rolled_back(canary: Rollout, answers: Answers, live: int, status: str) -> None:
    answers.many(12, canary.revision_id, status, seconds=None)
    answers.many(12, live)
    watching.watch()
    canary.refresh_from_db()
    assert (canary.outcome, canary.looks) == ("rolled_back", 1)
    assert "12 of 12 answers failed, of the live revision’s 0 of 12" in canary.reason
    entry = AuditEntry.objects.latest("id")
    assert (entry.action, entry.actor, entry.detail["outcome"]) == ("rollout_end", None, "rolled_back")
    assert entry.detail["seen"]["start"]["canary"]["errors"] == 12
    assert Revision.objects.get(is_live=True).number == live


def test_a_canary_that_keeps_people_waiting_is_rolled_back(canary: Rollout, answers: Answers, live: int) -> None:
    answers.many(15, canary.revision_id, Status.RUNNING, seconds=None, age=30)
    answers.many(15, live, seconds=1)
    watching.watch()
    canary.refresh_from_db()
    assert canary.outcome == "rolled_back"
    assert "longer than 30" in canary.reason


def call_wrong(turns: list[Turn], users: list[Any]) -> None:
    for turn, user in zip(turns, users, strict=True):
        assert turn.decision
        Correction.objects.create(decision=turn.decision, user=user, text="Hello", wanted_route="classify")


def test_one_person_alone_rolls_no_canary_back(canary: Rollout, answers: Answers, live: int, alice: Any) -> None:
    call_wrong(answers.many(20, canary.revision_id)[:14], [alice] * 14)
    answers.many(20, live)
    watching.watch()
    canary.refresh_from_db()
    assert (canary.outcome, canary.looks) == ("running", 1)


def test_what_somebody_called_wrong_before_hides_nothing_that_they_call_wrong_now(
    canary: Rollout, answers: Answers, live: int, alice: Any
) -> None:
    for revision in (canary.revision_id, live):
        call_wrong(answers.many(1, revision), [alice])
    Decision.objects.update(decided_at=timezone.now() - timedelta(days=2))
    for revision in (canary.revision_id, live):
        call_wrong(answers.many(2, revision, age=1200)[:1], [alice])
        answers.many(10, revision)
        call_wrong(answers.many(1, revision), [alice])
    for observation in watching.observe(canary).values():
        assert (observation.canary.wrong_routes, observation.live.wrong_routes) == (1, 1)


def test_a_canary_whose_routes_people_call_wrong_is_rolled_back(canary: Rollout, answers: Answers, live: int) -> None:
    call_wrong(answers.many(20, canary.revision_id)[:14], people(14))
    answers.many(20, live)
    watching.watch()
    canary.refresh_from_db()
    assert canary.outcome == "rolled_back"
    assert "people called 14 of 20 routes wrong" in canary.reason


def test_a_canary_that_begins_to_fail_after_a_long_good_time_is_rolled_back(
    canary: Rollout, answers: Answers, live: int
) -> None:
    long_ago(canary)
    answers.many(300, canary.revision_id, age=7200)
    answers.many(300, live, age=7200)
    answers.many(15, canary.revision_id, Status.FAILED)
    answers.many(15, live)
    watching.watch()
    canary.refresh_from_db()
    assert canary.outcome == "rolled_back"
    assert canary.reason.startswith("In the last ten minutes, 15 of 15 answers failed")


def test_a_canary_within_the_margins_goes_on(canary: Rollout, answers: Answers, live: int) -> None:
    Safeguards.objects.update_or_create(pk=1, defaults={"canary_error_margin": 100, "canary_latency_ratio": 100})
    answers.many(12, canary.revision_id, Status.FAILED, seconds=None)
    answers.many(12, live)
    watching.watch()
    canary.refresh_from_db()
    assert (canary.outcome, canary.looks) == ("running", 1)


def test_looking_where_nothing_has_happened_spends_nothing(canary: Rollout, answers: Answers, live: int) -> None:
    watching.watch()
    canary.refresh_from_db()
    assert canary.looks == 0
    answers.many(12, canary.revision_id)
    answers.many(12, live)
    for _ in range(3):
        watching.watch()
    canary.refresh_from_db()
    assert canary.looks == 1
    answers.answer(canary.revision_id)
    watching.watch()
    canary.refresh_from_db()
    assert canary.looks == 2


def test_without_a_canary_nothing_is_done(defaults: None, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        watching.watch()
