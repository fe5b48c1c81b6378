"""The time machine: real messages through the draft, and every flip on a page."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.utils import timezone

from chatsite.chat import answering, turns
from chatsite.chat.models import Conversation, Message, Turn
from chatsite.routing import replaying
from chatsite.routing.models import Replay, ReplayedFlip
from router.models import AuditEntry, Decision, Revision, Route, RouteModel
from router.policy import Choice
from router.revisions import live_revision, publish
from tests import processes
from tests.admin.conftest import AdminClient, said
from tests.chat.deciding import decided
from tests.processes import wait_until
from workers import attempts
from workers.jobs import Job
from workers.models import Model

NEW = "/admin/routing/replay/add/"
ONE, TWO = "Write a poem about zebra one.", "Write a poem about zebra two."
EVIL = "Write a poem about a zebra <script>alert(1)</script>"


def add_rule(value: str, name: str = "classify") -> None:
    """Change the draft: a rule that sends what it matches to a route."""
    Route.objects.get(name=name).rules.create(kind="pattern", value=value, position=0)


def start(asked_by: User, revision: Revision | None = None, newest: int = 500, **fields: Any) -> Replay:
    return replaying.start(asked_by, revision=revision, newest=newest, **fields)


def run(replay: Replay) -> Replay:
    """What the background worker does with it."""
    replaying.replay_messages(str(replay.pk), replay.attempt)
    replay.refresh_from_db()
    return replay


def page_of(replay: Replay, query: str = "") -> str:
    return f"/admin/routing/replay/{replay.pk}/change/{query}"


@pytest.fixture
def zebras(alice: User, defaults: None) -> list[Turn]:
    """Three decided messages, of which a rule for zebras would take two elsewhere."""
    return [decided(alice, text) for text in (ONE, "Write a poem about a fox.", EVIL)]


# --- What it finds ------------------------------------------------------------------------------------------------


def test_the_draft_flips_what_it_sends_elsewhere(admin: User, zebras: list[Turn]) -> None:
    add_rule("zebra")
    replay = run(start(admin))
    assert (replay.status, replay.done, replay.total, replay.flip_count) == ("done", 3, 3, 2)
    flips = list(replay.flips.all())
    assert [flip.turn_id for flip in flips] == [zebras[2].pk, zebras[0].pk]
    for flip in flips:
        stored = Decision.objects.get(turn=flip.turn)
        assert (flip.old_route, flip.new_route) == ("generate", "classify")
        assert (flip.old_choice["strategy"], flip.old_choice["scores"]) == (stored.strategy, stored.scores)
        assert flip.new_choice["strategy"] == "rule"


def test_the_live_revision_flips_nothing(admin: User, alice: User, zebras: list[Turn]) -> None:
    """Not even where an earlier revision decided otherwise: that is only counted."""
    add_rule("zebra")
    live = publish(admin, "zebras")
    conversation = Conversation.objects.first()
    assert conversation is not None
    decided(alice, TWO, conversation_id=conversation.pk)
    decided(alice, "/summarise zebra")
    replay = run(start(admin, live))
    assert (replay.status, replay.done, replay.flip_count) == ("done", 5, 0)
    assert replay.drift_count == 2


def test_what_it_compares_is_fixed_at_the_start(admin: User, zebras: list[Turn]) -> None:
    add_rule("zebra")
    replay = start(admin)
    Route.objects.get(name="classify").rules.all().delete()
    add_rule("zebra", "summarise")
    publish(admin, "other zebras")
    assert {(flip.old_route, flip.new_route) for flip in run(replay).flips.all()} == {("generate", "classify")}


def test_a_revision_whose_model_is_gone_can_be_replayed(admin: User, zebras: list[Turn]) -> None:
    RouteModel.objects.all().delete()
    Model.objects.all().delete()
    assert run(start(admin, live_revision())).flip_count == 0


def test_an_earlier_revision_can_be_replayed(admin: User, zebras: list[Turn]) -> None:
    first = live_revision()
    add_rule("zebra")
    publish(admin, "zebras")
    replay = run(start(admin, first))
    assert {(flip.old_route, flip.new_route) for flip in replay.flips.all()} == {("classify", "generate")}


def test_a_message_counts_once_with_its_first_decision(admin: User, alice: User, zebras: list[Turn]) -> None:
    again = turns.again(alice, reply_id=zebras[0].pk, wanted_route="summarise")
    with attempts.claimed(Turn, str(again.pk), 1) as held:
        assert held is not None
        answering.answer(*held)
    add_rule("zebra")
    replay = run(start(admin))
    assert replay.total == replay.done == 3
    assert zebras[0].pk in set(replay.flips.values_list("turn_id", flat=True))


def test_a_route_that_is_named_and_not_there_answers_nobody(admin: User, alice: User, defaults: None) -> None:
    turn = decided(alice, "short please", wanted_route="summarise")
    Route.objects.filter(name="summarise").delete()
    flip = run(start(admin)).flips.get()
    assert (flip.turn_id, flip.old_route, flip.new_route) == (turn.pk, "summarise", "")


def test_who_may_use_a_route_counts(admin: User, alice: User, bob: User, defaults: None) -> None:
    group = Group.objects.create(name="zoo")
    alice.groups.add(group)
    turn, _ = decided(alice, ONE), decided(bob, TWO)
    Route.objects.get(name="classify").groups.add(group)
    add_rule("zebra")
    assert run(start(admin)).flips.get().turn_id == turn.pk


# --- Which messages -----------------------------------------------------------------------------------------------


def test_the_newest_messages_are_taken(admin: User, zebras: list[Turn]) -> None:
    add_rule("zebra")
    replay = run(start(admin, newest=2))
    assert (replay.total, replay.done) == (2, 2)
    assert replay.flips.get().turn_id == zebras[2].pk


def test_the_days_are_those_of_the_messages(admin: User, zebras: list[Turn]) -> None:
    add_rule("zebra")
    today = timezone.now()
    Message.objects.filter(pk=zebras[0].message_id).update(created_at=today - timedelta(days=10))
    earlier = (today - timedelta(days=11)).date(), (today - timedelta(days=9)).date()
    replay = run(start(admin, since=earlier[0], until=earlier[1]))
    assert replay.flips.get().turn_id == zebras[0].pk
    assert run(start(admin, since=earlier[1])).total == 2


def test_what_is_deleted_in_the_meantime_is_left_out(ada: AdminClient, admin: User, zebras: list[Turn]) -> None:
    add_rule("zebra")
    replay = start(admin)
    zebras[0].conversation.delete()
    run(replay)
    assert (replay.status, replay.done, replay.total, replay.flip_count) == ("done", 2, 3, 1)
    assert "deleted in the meantime" in ada.get(page_of(replay)).content.decode()


def test_a_flip_goes_with_its_message(ada: AdminClient, admin: User, zebras: list[Turn]) -> None:
    add_rule("zebra")
    replay = run(start(admin))
    for turn in zebras:
        turn.conversation.delete()
    page = ada.get(page_of(replay)).content.decode()
    assert not replay.flips.exists()
    assert "zebra one" not in page
    assert "2 flips" in page


# --- Attempts, and cancelling -------------------------------------------------------------------------------------


CHOICES = Choice("generate", "generate", "classifier", 0.9), Choice("classify", "classify", "rule")


def claim(replay: Replay) -> Replay:
    claimed = Replay.claim(replay.pk, replay.attempt)
    assert claimed is not None
    return claimed


def test_another_attempt_goes_on_where_one_ended(admin: User, zebras: list[Turn]) -> None:
    add_rule("zebra")
    replay = claim(start(admin))
    found = replaying._Found(replay)
    for decision in Decision.objects.order_by("-pk")[:2]:
        found.add(decision, CHOICES[0], CHOICES[1] if decision.pk == zebras[2].decision_id else CHOICES[0])
    assert found.save()
    assert replay.retry()
    run(replay)
    assert (replay.status, replay.done, replay.total, replay.flip_count) == ("done", 3, 3, 2)
    assert [flip.turn_id for flip in replay.flips.all()] == [zebras[2].pk, zebras[0].pk]


def test_a_message_that_is_deleted_before_its_flip_is_saved(admin: User, zebras: list[Turn]) -> None:
    found = replaying._Found(claim(start(admin)))
    for decision in Decision.objects.order_by("-pk"):
        found.add(decision, *CHOICES)
    zebras[1].conversation.delete()
    assert found.save()
    assert set(ReplayedFlip.objects.values_list("turn_id", flat=True)) == {zebras[0].pk, zebras[2].pk}


def test_what_is_cancelled_stops_and_keeps_what_it_has(ada: AdminClient, admin: User, zebras: list[Turn]) -> None:
    replay = claim(start(admin))
    found = replaying._Found(replay)
    found.add(Decision.objects.get(turn=zebras[2]), *CHOICES)
    assert found.save()
    page = ada.post(f"/admin/routing/replay/{replay.pk}/cancel/", follow=True).content.decode()
    assert "Cancelled after 1 of 3" in page
    found.add(Decision.objects.get(turn=zebras[0]), *CHOICES)
    assert not found.save()
    replay.refresh_from_db()
    assert (replay.status, replay.done, replay.flips.count()) == ("cancelled", 1, 1)
    entry = AuditEntry.objects.get(text="Cancelled: Replay of the draft")
    assert (entry.actor, entry.detail) == (admin, {"cancelled": str(replay.pk)})


def test_what_is_cancelled_before_it_begins_never_does(ada: AdminClient, admin: User, zebras: list[Turn]) -> None:
    add_rule("zebra")
    replay = start(admin)
    ada.post(f"/admin/routing/replay/{replay.pk}/cancel/")
    assert run(replay).done == 0


def test_cancelling_what_is_finished_changes_nothing(ada: AdminClient, admin: User, zebras: list[Turn]) -> None:
    replay = run(start(admin))
    ada.post(f"/admin/routing/replay/{replay.pk}/cancel/")
    replay.refresh_from_db()
    assert replay.status == "done"
    assert not AuditEntry.objects.filter(text__startswith="Cancelled").exists()


def test_a_message_that_waits_for_its_route_goes_first(
    admin: User, alice: User, zebras: list[Turn], monkeypatch: pytest.MonkeyPatch
) -> None:
    replay = start(admin)
    waiting, pauses = turns.submit(alice, text=ONE), []
    sleep = time.sleep

    def decide_meanwhile(seconds: float) -> None:
        if threading.current_thread() is not threading.main_thread():  # those that write streams rest too
            sleep(seconds)
            return
        pauses.append(seconds)
        Turn.objects.filter(pk=waiting.pk).update(status=Job.Status.DONE, finished_at=timezone.now())

    monkeypatch.setattr(replaying.time, "sleep", decide_meanwhile)
    monkeypatch.setattr(replaying, "GIVE_WAY_SECONDS", 3600.0)  # however long it takes here until a message is replayed
    assert run(replay).done == 3
    assert pauses[0] == replaying.LOOK_AGAIN_SECONDS
    assert pauses.count(replaying.LOOK_AGAIN_SECONDS) == 1


def test_a_message_that_no_worker_takes_holds_nothing_up(admin: User, alice: User, zebras: list[Turn]) -> None:
    replay = start(admin)
    waiting = turns.submit(alice, text=ONE)
    Turn.objects.filter(pk=waiting.pk).update(queued_at=timezone.now() - timedelta(minutes=1))
    assert run(replay).done == 3


def test_a_classifier_that_does_not_run_is_said(ada: AdminClient, admin: User, zebras: list[Turn]) -> None:
    replay = start(admin)
    replay.classifier.content = b"no artefact"
    replay.classifier.save()
    run(replay)
    assert replay.status == "failed"
    assert replay.error_detail in ada.get(page_of(replay)).content.decode()


def test_a_replay_that_ended_every_worker_is_said(ada: AdminClient, admin: User, zebras: list[Turn]) -> None:
    replay = claim(start(admin))
    replay.close(Job.Status.QUARANTINED, error_code="quarantined", error_detail="Every attempt ended its worker.")
    page = ada.get(page_of(replay)).content.decode()
    assert "It failed after 0 of 3 messages" in page
    assert "Every attempt ended its worker." in page


def test_old_replays_make_room(admin: User, zebras: list[Turn], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaying, "KEPT_REPLAYS", 2)
    replays = []
    for _ in range(4):
        replays.append(start(admin))
        replays[-1].cancel()
    assert set(Replay.objects.values_list("pk", flat=True)) == {replay.pk for replay in replays[2:]}


# --- The pages ----------------------------------------------------------------------------------------------------


def test_the_flips_are_listed_with_old_and_new(ada: AdminClient, admin: User, zebras: list[Turn]) -> None:
    add_rule("zebra")
    replay = run(start(admin))
    page = ada.get(page_of(replay)).content.decode()
    assert "2 flips" in page
    assert "zebra one" in page
    assert "<script>alert(1)" not in page
    assert "a zebra &lt;script&gt;alert(1)" in page
    assert "by a rule" in page
    assert "a poem about a fox" not in page


def test_a_flip_says_why(ada: AdminClient, admin: User, zebras: list[Turn]) -> None:
    add_rule("zebra")
    replay = run(start(admin))
    flip = replay.flips.get(turn=zebras[2])
    page = ada.get(f"/admin/routing/replay/{replay.pk}/flips/{flip.pk}/").content.decode()
    assert "A rule applied. The message matches a regular expression: zebra" in page
    assert "Runner-up" in page
    assert "Scores" in page
    assert "<script>alert(1)" not in page
    other = run(start(admin))
    assert ada.get(f"/admin/routing/replay/{other.pk}/flips/{flip.pk}/").status_code == 404


def test_flips_are_filtered_by_route(ada: AdminClient, admin: User, alice: User, zebras: list[Turn]) -> None:
    decided(alice, "short please", wanted_route="summarise")
    add_rule("zebra")
    Route.objects.filter(name="summarise").delete()
    replay = run(start(admin))
    assert replay.flip_count == 3

    def texts(query: str) -> set[str]:
        page = ada.get(page_of(replay, query))
        return {row["flip"].turn.message.text for row in page.context["rows"]}

    assert texts("?new=classify") == {ONE, EVIL}
    assert texts("?new=-") == texts("?old=summarise") == {"short please"}
    assert texts("?old=generate&new=-") == set()
    assert len(texts("?old=nonsense")) == len(texts("?page=nonsense")) == 3


def test_many_flips_have_pages(
    ada: AdminClient, admin: User, zebras: list[Turn], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatsite.routing.admin.replays.FLIPS_A_PAGE", 1)
    add_rule("zebra")
    replay = run(start(admin))
    first = ada.get(page_of(replay, "?new=classify")).content.decode()
    assert "1 to 1 of 2" in first
    assert "?new=classify&amp;page=2" in first
    assert "zebra one" in ada.get(page_of(replay, "?new=classify&page=2")).content.decode()


def test_an_open_replay_asks_for_itself(ada: AdminClient, admin: User, zebras: list[Turn]) -> None:
    replay = start(admin)
    page = ada.get(page_of(replay)).content.decode()
    assert 'hx-trigger="every' in page
    assert 'http-equiv="refresh"' in page
    assert "No worker serves the queue “background”" in page
    assert "HX-Refresh" not in ada.get(page_of(replay), headers={"HX-Request": "true"})
    run(replay)
    finished = ada.get(page_of(replay), headers={"HX-Request": "true"})
    assert finished["HX-Refresh"] == "true"
    assert "hx-trigger" not in finished.content.decode()


# --- Starting one -------------------------------------------------------------------------------------------------


def send(client: AdminClient, **fields: Any) -> Any:
    return client.post(NEW, {"what": "", "newest": 500, **fields}, follow=True)


def test_a_replay_is_started_from_the_form(ada: AdminClient, admin: User, zebras: list[Turn]) -> None:
    assert "says the same as what is live" in ada.get(NEW).content.decode()
    add_rule("zebra")
    assert "says the same as what is live" not in ada.get(NEW).content.decode()
    page = send(ada, newest=2)
    replay = Replay.objects.get()
    assert page.redirect_chain[-1][0] == page_of(replay)
    assert (replay.asked_by, replay.revision, replay.total) == (admin, None, 2)
    assert "There are more messages than that; the newest 2 are replayed" in said(page)


def test_a_revision_is_chosen_in_the_form(ada: AdminClient, zebras: list[Turn]) -> None:
    live = live_revision()
    assert live is not None
    assert "Replay of revision 1" in send(ada, what=live.number).content.decode()
    assert Replay.objects.get().revision == live


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"since": "2001-01-01", "until": "2001-12-31"}, "No message was decided in that time"),
        ({"since": "2002-01-01", "until": "2001-12-31"}, "before the first day"),
        ({"since": "yesterday"}, "Enter a valid date"),
        ({"newest": 0}, "greater than or equal to 1"),
        ({"newest": 20_001}, "less than or equal to 20000"),
        ({"newest": ""}, "This field is required"),
        ({"what": "99"}, "not one of the available choices"),
    ],
)
def test_what_cannot_be_replayed_is_said(
    ada: AdminClient, zebras: list[Turn], fields: dict[str, Any], words: str
) -> None:
    page = send(ada, **fields).content.decode()
    assert words in page
    assert str(fields.get("since", "")) in page
    assert not Replay.objects.exists()


def test_without_messages_there_is_nothing_to_replay(ada: AdminClient, defaults: None) -> None:
    assert "There is no message." in send(ada).content.decode()


def test_without_a_live_revision_there_is_nothing_to_compare_with(ada: AdminClient, zebras: list[Turn]) -> None:
    Revision.objects.update(is_live=False)
    assert "No routes have been published yet" in send(ada).content.decode()


def test_a_draft_that_cannot_be_published_cannot_be_replayed(ada: AdminClient, zebras: list[Turn]) -> None:
    Route.objects.update(is_default=False)
    assert "No route is the default" in send(ada).content.decode()
    assert not Replay.objects.exists()


def test_one_replay_at_a_time(ada: AdminClient, admin: User, zebras: list[Turn]) -> None:
    replay = start(admin)
    page = send(ada).content.decode()
    assert "You have a replay that is not finished" in page
    assert page_of(replay) in page
    run(replay)
    send(ada)
    assert Replay.objects.count() == 2


# --- Who may, and who did -----------------------------------------------------------------------------------------


def test_it_takes_permissions_of_its_own(
    alice_with: Callable[..., AdminClient], admin: User, zebras: list[Turn]
) -> None:
    add_rule("zebra")
    replay = run(start(admin))
    flip = replay.flips.first()
    assert flip is not None
    pages = [page_of(replay), f"/admin/routing/replay/{replay.pk}/flips/{flip.pk}/", "/admin/routing/replay/"]
    without = alice_with("router.view_route", "router.publish_revision", "chat.view_turn")
    for page in [*pages, NEW]:
        assert without.get(page).status_code == 403
    assert "Time machine" not in without.get("/admin/").content.decode()
    looking = alice_with("routing.view_replay")
    for page in pages:
        assert looking.get(page).status_code == 200
    assert send(looking).status_code == 403
    assert looking.post(f"/admin/routing/replay/{replay.pk}/cancel/").status_code == 403
    assert Replay.objects.count() == 1


def test_a_replay_is_never_changed(ada: AdminClient, admin: User, zebras: list[Turn]) -> None:
    replay = run(start(admin))
    assert ada.post(f"/admin/routing/replay/{replay.pk}/delete/", {"post": "yes"}).status_code == 403
    assert ada.get(f"/admin/routing/replay/{replay.pk}/cancel/").status_code == 405
    assert Replay.objects.filter(pk=replay.pk).exists()


def test_starting_and_the_first_look_are_in_the_audit_log(
    ada: AdminClient, alice_with: Callable[..., AdminClient], admin: User, alice: User, zebras: list[Turn]
) -> None:
    replay = run(start(admin))
    looking = alice_with("routing.view_replay")
    for client in (ada, ada, looking, looking):
        client.get(page_of(replay))
    entries = AuditEntry.objects.filter(action=AuditEntry.Action.REPLAY).order_by("pk")
    assert [(entry.actor, entry.text) for entry in entries] == [
        (admin, "Replay of the draft on 3 messages"),
        (alice, "Looked at the messages of a replay that ada started"),
    ]


# --- In a real worker ---------------------------------------------------------------------------------------------


@pytest.fixture
def many(transactional_db: None, alice: User, defaults: None) -> int:
    """Several hundred decided messages, as the database keeps them."""
    first = decided(alice, "Write a poem about zebra 0.")
    count = 400
    conversation, kept = first.conversation, first.decision
    assert kept is not None
    with transaction.atomic():
        for number in range(1, count):
            kept.pk = None
            kept.save(force_insert=True)
            text = f"Write a poem about zebra {number}."
            message = Message.objects.create(conversation=conversation, role="user", text=text, user=alice)
            reply = Message.objects.create(conversation=conversation, role="assistant", parent=message)
            facts = {"conversation": conversation, "status": "done", "finished_at": timezone.now()}
            Turn.objects.create(reply=reply, message=message, decision_id=kept.pk, **facts)
    return count


@pytest.fixture
def _reaper(transactional_db: None) -> Iterator[None]:
    with processes.reaper():
        yield


@pytest.mark.processes
@pytest.mark.usefixtures("_reaper")
@pytest.mark.django_db(transaction=True)
def test_a_replay_outlives_its_worker(ada: AdminClient, many: int) -> None:
    add_rule("zebra")
    send(ada)
    replay = Replay.objects.get()

    def progress() -> int:
        replay.refresh_from_db()
        return replay.done

    with processes.worker("background", concurrency=1) as worker:
        wait_until(lambda: progress() > 0, 60, "the first messages")
        worker.kill()
    assert progress() < many
    assert replay.status == "running"
    with processes.worker("background", concurrency=1):
        wait_until(lambda: progress() == many and not replay.is_open, 60, "the second attempt")
    assert (replay.status, replay.attempt, replay.flip_count) == ("done", 2, many)
    assert replay.flips.count() == many
