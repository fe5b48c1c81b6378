"""Canaries and shadows in the admin, the safeguards that they are held to, and the audit log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from chatsite.chat import turns
from chatsite.routing import promoting
from router import rollouts
from router.models import AuditEntry, Decision, LabelledMessage, Revision, Rollout, Route, Safeguards
from router.revisions import make_revision
from tests.admin.conftest import AdminClient, errors, said

LIST = "/admin/router/rollout/"
START = f"{LIST}add/"


@pytest.fixture
def canary(defaults: None, admin: Any) -> Rollout:
    Route.objects.filter(name="summarise").update(threshold=0.9)
    return rollouts.start_draft(Rollout.Kind.CANARY, 30, admin, "careful summaries")


@pytest.fixture
def labelled(defaults: None) -> None:
    """A labelled set that is quickly measured."""
    LabelledMessage.objects.all().delete()
    for number in range(5):
        LabelledMessage.objects.create(text=f"Is this spam or ham: prize number {number}", route="classify")


def promote(ada: AdminClient, rollout: Rollout) -> str:
    """Ask for the promotion, do what the background worker does, and read the page that comes of it."""
    path = ada.post(f"{LIST}{rollout.pk}/promote/")["Location"]
    promoting.promote_if_it_passes(path.rstrip("/").rsplit("/", 1)[1])
    return text_of(ada.get(path))


def send(ada: AdminClient, **changes: Any) -> Any:
    """The form as it was shown, with changes, sent."""
    form = ada.get(START).context["form"]
    shown = {field.html_name: field.value() or "" for field in form}
    return ada.post(START, {**shown, "kind": "canary", **changes}, follow=True)


def text_of(response: Any) -> str:
    return " ".join(response.content.decode().split())


def test_the_draft_is_started_as_a_canary(ada: AdminClient, defaults: None) -> None:
    Route.objects.filter(name="summarise").update(title="Digest")
    page = send(ada, share="25", note="shorter titles")
    canary = Rollout.objects.get()
    assert (canary.kind, canary.share, canary.revision.note) == ("canary", 25, "shorter titles")
    assert str(canary.started_by) == "ada"
    assert "canary for 25 % of the conversations" in text_of(page)
    assert not canary.revision.is_live


def test_an_earlier_revision_is_started_as_a_shadow(ada: AdminClient, defaults: None, admin: Any) -> None:
    revision = make_revision(admin, "from before")
    assert f"Revision {revision.number}: from before" in text_of(ada.get(START))
    page = send(ada, kind="shadow", revision=str(revision.number), share="")
    assert Rollout.objects.get().revision == revision
    assert "It has not decided anything yet" in text_of(page)


@pytest.mark.parametrize("share", ["0", "101", "", "a"])
def test_a_share_that_is_none_is_refused_and_what_was_typed_stays(ada: AdminClient, defaults: None, share: str) -> None:
    page = send(ada, share=share, note="kept in the form")
    assert "share" in page.context["form"].errors
    assert "kept in the form" in text_of(page)
    assert not Rollout.objects.exists()


def test_a_second_canary_is_refused_in_words(ada: AdminClient, canary: Rollout) -> None:
    page = send(ada, share="10")
    assert f"Revision {canary.revision_id} as canary runs already. Stop it first." in text_of(page)
    assert Rollout.objects.count() == 1


def test_a_draft_that_changed_since_the_page_was_opened_is_started_only_when_sent_again(
    ada: AdminClient, defaults: None
) -> None:
    page = send(ada, share="10", fingerprint="of another draft", note="mine")
    assert "Somebody changed the draft in the meantime" in text_of(page)
    again = {field.html_name: field.value() or "" for field in page.context["form"]}
    assert again["note"] == "mine"
    ada.post(START, again)
    assert Rollout.objects.get().revision.note == "mine"


def test_what_runs_is_shown_with_its_figures(ada: AdminClient, canary: Rollout) -> None:
    for _ in range(3):
        Decision.objects.create(
            revision=canary.revision, route="generate", role="generate", strategy="default", duration_ms=1
        )
    page = text_of(ada.get(LIST))
    for words in ("canary for 30 %", "careful summaries", "5 percentage points more", "1.5 times as long", "none yet"):
        assert words in page
    assert "has not yet" in page


def test_the_figures_of_the_last_look_are_said_in_words(ada: AdminClient, canary: Rollout) -> None:
    tests: dict[str, Any] = {"errors": 0.04, "wrong_routes": 0.7, "latency": None, "limit": 0.001, "worse": []}
    summary = {"answers": 40, "errors": 6, "decisions": 41, "wrong_routes": 1, "median_seconds": 1.25}
    seen = {"canary": summary, "live": {**summary, "errors": 2}}
    Rollout.objects.update(
        figures={"at": timezone.now().isoformat(), "seen": {"start": seen}, "tests": {"start": tests}},
        outcome="stopped",
        ended_at=timezone.now(),
        looks=3,
    )
    page = text_of(ada.get(f"{LIST}{canary.pk}/change/"))
    assert "6 of 40 (15.0 %)" in page
    assert "2 of 40 (5.0 %)" in page
    assert "Perhaps worse, not surely enough (p = 0.04, below 0.001 it is taken back)." in page
    assert "No sign that it is worse by more than that." in page
    assert "Too few answers to tell: 10 of each are needed." in page


def test_the_page_asks_for_the_figures_alone(ada: AdminClient, canary: Rollout) -> None:
    path = f"{LIST}{canary.pk}/change/"
    part = ada.get(path, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    assert f'hx-get="{path}"' in part
    rollouts.stop(canary, None)
    assert "hx-get" not in ada.get(path, headers={"HX-Request": "true"}).content.decode()


def test_a_canary_is_stopped_by_hand(ada: AdminClient, canary: Rollout) -> None:
    page = ada.post(f"{LIST}{canary.pk}/stop/", follow=True)
    canary.refresh_from_db()
    assert canary.outcome == "stopped"
    assert "has ended" in said(page)
    assert "ended in the meantime" in said(ada.post(f"{LIST}{canary.pk}/stop/", follow=True))
    assert ada.get(f"{LIST}{canary.pk}/stop/").status_code == 405


def test_flips_of_a_shadow_are_counted_by_route(ada: AdminClient, defaults: None, admin: Any) -> None:
    shadow = rollouts.start_draft(Rollout.Kind.SHADOW, 100, admin)
    live = Revision.objects.get(is_live=True)
    facts: dict[str, Any] = {"role": "generate", "strategy": "default", "duration_ms": 1}
    for was, would in (("generate", "classify"),) * 2 + (("summarise", "generate"), ("generate", "generate")):
        answered = Decision.objects.create(revision=live, route=was, **facts)
        Decision.objects.create(revision=shadow.revision, route=would, shadow_of=answered, **facts)
    response = ada.get(f"{LIST}{shadow.pk}/change/")
    flips = response.context["flips"]
    assert (flips.count, flips.decisions) == (3, 4)
    assert [(flip.live, flip.shadow, flip.count) for flip in flips.flips] == [
        ("generate", "classify", 2),
        ("summarise", "generate", 1),
    ]
    assert "of 4 messages would have taken another route" in text_of(response)


def test_what_people_wrote_is_for_those_who_may_read_it_and_is_in_the_audit_log(
    ada: AdminClient, alice_with: Callable[..., AdminClient], bob: Any, defaults: None, admin: Any
) -> None:
    shadow = rollouts.start_draft(Rollout.Kind.SHADOW, 100, admin)
    turn = turns.submit(bob, text="Is this a bill or a letter?")
    facts: dict[str, Any] = {"role": "generate", "strategy": "default", "duration_ms": 1}
    turn.decision = Decision.objects.create(revision=Revision.objects.get(is_live=True), route="generate", **facts)
    turn.save()
    Decision.objects.create(revision=shadow.revision, route="classify", shadow_of=turn.decision, **facts)
    path = f"{LIST}{shadow.pk}/messages/"
    helper = alice_with("router.view_revision")
    assert helper.get(path).status_code == 403
    assert "bill" not in text_of(helper.get(f"{LIST}{shadow.pk}/change/"))
    assert path not in text_of(helper.get(f"{LIST}{shadow.pk}/change/"))
    assert path in text_of(ada.get(f"{LIST}{shadow.pk}/change/"))
    assert not AuditEntry.objects.filter(action="replay").exists()
    assert "Is this a bill or a letter?" in text_of(ada.get(path))
    assert str(AuditEntry.objects.get(action="replay").actor) == "ada"


def test_a_promotion_passes_the_gate_first(ada: AdminClient, labelled: None, canary: Rollout) -> None:
    assert f"Revision {canary.revision_id} is live." in promote(ada, canary)
    canary.refresh_from_db()
    assert (canary.outcome, canary.revision.is_live) == ("promoted", True)
    assert (canary.revision.evaluation["passes"], canary.revision.evaluation["count"]) == (True, 5)


def test_a_canary_that_is_worse_on_the_labelled_set_is_not_promoted(
    ada: AdminClient, labelled: None, admin: Any
) -> None:
    Route.objects.get(name="generate").rules.create(kind="pattern", value="spam")
    canary = rollouts.start_draft(Rollout.Kind.CANARY, 10, admin)
    page = promote(ada, canary)
    assert "so it was not made live" in page
    assert "Is this spam or ham: prize number 3" in page
    canary.refresh_from_db()
    assert (canary.outcome, canary.revision.is_live) == ("running", False)


def test_going_past_the_gate_takes_its_own_permission_and_is_in_the_audit_log(
    ada: AdminClient, alice_with: Callable[..., AdminClient], canary: Rollout
) -> None:
    helper = alice_with("router.view_revision", "router.publish_revision")
    assert "without the check" not in text_of(helper.get(LIST))
    assert helper.post(f"{LIST}{canary.pk}/promote/", {"override": "1"}).status_code == 403
    ada.post(f"{LIST}{canary.pk}/promote/", {"override": "1"})
    canary.refresh_from_db()
    assert canary.outcome == "promoted"
    entry = AuditEntry.objects.get(action="override")
    assert (str(entry.actor), entry.detail["revision"]) == ("ada", canary.revision_id)


def test_a_rollout_that_is_not_there_is_not_found(ada: AdminClient, db: None) -> None:
    for number in ("99", "9" * 5000, "first"):
        assert ada.get(f"{LIST}{number}/change/").status_code == 404


def test_looking_is_not_changing(alice_with: Callable[..., AdminClient], canary: Rollout) -> None:
    helper = alice_with("router.view_revision")
    assert "careful summaries" in text_of(helper.get(LIST))
    assert "/stop/" not in text_of(helper.get(LIST))
    for path in (START, f"{LIST}{canary.pk}/stop/", f"{LIST}{canary.pk}/promote/"):
        assert helper.post(path, {"kind": "canary", "share": "10"}).status_code == 403
    canary.refresh_from_db()
    assert canary.outcome == "running"


def test_without_a_permission_nothing_is_seen(alice_with: Callable[..., AdminClient], canary: Rollout) -> None:
    helper = alice_with("router.view_route")
    paths = (LIST, f"{LIST}{canary.pk}/change/", "/admin/router/runningprocess/", "/admin/router/auditentry/")
    assert {helper.get(path).status_code for path in (*paths, "/admin/router/safeguards/1/change/")} <= {302, 403}
    assert "Rollouts" not in text_of(helper.get("/admin/"))


# --- Safeguards --------------------------------------------------------------------------------------------------


def test_there_is_one_row_of_safeguards_and_it_is_opened_at_once(ada: AdminClient, db: None) -> None:
    page = ada.get("/admin/router/safeguards/", follow=True)
    assert page.redirect_chain[-1][0] == "/admin/router/safeguards/1/change/"
    assert ada.get("/admin/router/safeguards/add/").status_code == 403
    assert ada.post("/admin/router/safeguards/1/delete/", {"post": "yes"}).status_code == 403
    ada.submit("/admin/router/safeguards/1/change/", canary_error_margin="12.5")
    assert Safeguards.current().canary_error_margin == 12.5
    ada.submit("/admin/router/safeguards/1/change/")
    entry = AuditEntry.objects.get(action="safeguards")
    assert (str(entry.actor), entry.text) == ("ada", "Canary error margin: 5 → 12.5.")
    assert entry.detail == {"canary_error_margin": [5.0, 12.5]}


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("canary_error_margin", "101", "less than or equal to 100"),
        ("canary_wrong_route_margin", "-1", "greater than or equal to 0"),
        ("canary_latency_ratio", "0.5", "greater than or equal to 1"),
        ("gate_margin", "much", "Enter a number"),
    ],
)
def test_a_margin_that_makes_no_sense_is_refused_in_words(
    ada: AdminClient, db: None, field: str, value: str, words: str
) -> None:
    before = Safeguards.current()
    page = ada.submit(f"/admin/router/safeguards/{before.pk}/change/", **{field: value})
    assert words in errors(page)
    assert getattr(Safeguards.current(), field) == getattr(before, field)


# --- The audit log -----------------------------------------------------------------------------------------------


def test_the_audit_log_says_who_did_what(ada: AdminClient, canary: Rollout) -> None:
    canary.end(Rollout.Outcome.ROLLED_BACK, None, "It was worse.")
    page = text_of(ada.get("/admin/router/auditentry/"))
    assert "It was worse." in page
    assert "by itself" in page
    filtered = text_of(ada.get("/admin/router/auditentry/?action__exact=rollout_start"))
    assert "for 30 % of the conversations" in filtered
    assert "It was worse." not in filtered
    by_ada = ada.get(f"/admin/router/auditentry/?actor__id__exact={canary.started_by_id}")
    assert "It was worse." not in text_of(by_ada)
    entry = AuditEntry.objects.latest("id")
    assert "rolled_back" in text_of(ada.get(f"/admin/router/auditentry/{entry.pk}/change/"))


def test_nobody_changes_the_audit_log(ada: AdminClient, canary: Rollout) -> None:
    entry = AuditEntry.objects.latest("id")
    path = f"/admin/router/auditentry/{entry.pk}/"
    assert ada.post(f"{path}change/", {"text": "Nothing happened."}).status_code == 403
    assert ada.post(f"{path}delete/", {"post": "yes"}).status_code == 403
    assert ada.get("/admin/router/auditentry/add/").status_code == 403
    ada.post("/admin/router/auditentry/", {"action": "delete_selected", "_selected_action": entry.pk, "post": "yes"})
    assert AuditEntry.objects.get(pk=entry.pk).text == entry.text
