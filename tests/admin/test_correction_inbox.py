"""The inbox of corrections: what is shown, what a review does, and what a refit makes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chatsite.routing.refitting import refit_classifier
from router import drafts, reviews, training
from router.artefact import with_metadata
from router.classifier import RoleClassifier
from router.gate import Case, judge
from router.models import AuditEntry, Classifier, Correction, Draft, Example, LabelledMessage, Revision, Route
from router.policies import policy_of
from router.revisions import publish, store_classifier
from tests.admin.conftest import AdminClient, said
from tests.pages import rows
from tests.router.conftest import artefact, embed, small_samples  # noqa: F401  (a fixture)
from workers.trials import Trial

INBOX = "/admin/router/correction/"


def filed(user: Any, text: str = "the gist of it", wanted: str = "generate", **fields: Any) -> Correction:
    decision = rows.decision(route="summarise", role="summarise", score=0.8132)
    return Correction.objects.create(decision=decision, user=user, text=text, wanted_route=wanted, **fields)


def act(client: AdminClient, action: str, *corrections: Correction, **fields: str) -> Any:
    chosen = [str(correction.pk) for correction in corrections]
    return client.post(INBOX, {"action": action, "_selected_action": chosen, **fields}, follow=True)


def labels() -> dict[str, tuple[str, str]]:
    return {row.text: (row.route, row.source) for row in LabelledMessage.objects.filter(source="correction")}


def state(correction: Correction) -> tuple[str, str]:
    correction.refresh_from_db()
    return correction.state, correction.route


@pytest.fixture(autouse=True)
def _defaults(defaults: None) -> None:
    """The shipped routes; the inbox names them as the draft does."""


# --- What is shown ----------------------------------------------------------------------------------------------


def test_it_shows_what_a_reviewer_needs(ada: AdminClient, alice: User) -> None:
    filed(alice, context="The answer before it")
    page = ada.get(INBOX).content.decode()
    for shown in ("the gist of it", "The answer before it", "Summary (the classifier, 0.81)", "Chat", "alice"):
        assert shown in page


def test_those_that_wait_come_first(ada: AdminClient, alice: User) -> None:
    waiting, *reviewed = [filed(alice, text) for text in ("first", "second", "third")]
    act(ada, "reject", *reviewed)
    assert ada.get(INBOX).context["cl"].result_list[0].pk == waiting.pk


@pytest.mark.parametrize("page", ["", "{pk}/change/"])
def test_what_people_wrote_is_shown_as_text(ada: AdminClient, alice: User, page: str) -> None:
    attack = '<script>alert(1)</script>"><img src=x onerror=alert(1)>{{ 7|add:7 }}'
    correction = filed(alice, attack, context=attack)
    labelled = LabelledMessage.objects.create(text=attack, context=attack, route="classify")
    content = act(ada, "accept", correction).content.decode() if not page else ""
    content += ada.get(INBOX + page.format(pk=correction.pk)).content.decode()
    assert "<script>alert(1)" not in content
    assert "<img src=x" not in content
    assert "&lt;script&gt;alert(1)" in content
    assert labelled.route == "classify"


def test_the_overview_says_how_many_wait(ada: AdminClient, alice: User) -> None:
    assert "Corrections to review" not in ada.get("/admin/").content.decode()
    filed(alice)
    assert "Corrections to review: 1." in ada.get("/admin/").content.decode()


def test_looking_is_not_reviewing(alice_with: Callable[..., AdminClient], bob: User) -> None:
    correction = filed(bob)
    helper = alice_with("router.view_correction")
    page = helper.get(INBOX).content.decode()
    assert "the gist of it" in page
    assert "Refit</" not in page
    act(helper, "accept", correction)
    assert state(correction) == ("pending", "")
    assert helper.post(f"{INBOX}refit/").status_code == 403
    assert helper.get(f"{INBOX}{correction.pk}/delete/").status_code == 403


def test_nobody_without_a_permission_gets_in(alice_with: Callable[..., AdminClient]) -> None:
    assert alice_with().get(INBOX).status_code == 403


# --- Reviewing --------------------------------------------------------------------------------------------------


def test_accepting_many_labels_them_and_is_one_entry_of_the_audit_log(
    ada: AdminClient, admin: User, alice: User, bob: User
) -> None:
    corrections = [filed(alice, "one"), filed(bob, "two", "classify")]
    page = act(ada, "accept", *corrections)
    assert "Accepted: 2." in said(page)
    assert '<strong class="text-important">2</strong> corrections of 2 people' in page.content.decode()
    assert [state(correction) for correction in corrections] == [("accepted", "generate"), ("accepted", "classify")]
    assert {(each.reviewer, each.reviewed_at is None) for each in corrections} == {(admin, False)}
    assert labels() == {"one": ("generate", "correction"), "two": ("classify", "correction")}
    entry = AuditEntry.objects.get(action="corrections")
    assert (entry.actor, entry.text) == (admin, "Accepted 2 corrections.")
    assert sorted(entry.detail["corrections"]) == sorted(correction.pk for correction in corrections)


def test_those_that_wait_are_reviewed_without_reading_all_that_were_accepted(
    admin: User, alice: User, bob: User
) -> None:
    reviews.accept([filed(alice, f"message {number}") for number in range(20)], admin)
    waiting = [filed(bob, f"another {number}") for number in range(3)]
    with CaptureQueriesContext(connection) as seen:
        reviews.accept(waiting[:2], admin)
        reviews.reject(waiting[2:], admin)
    assert not [query for query in seen if "'accepted'" in query["sql"] and query["sql"].startswith("SELECT")]


def test_rejecting_changes_nothing_else(ada: AdminClient, alice: User) -> None:
    correction = filed(alice)
    act(ada, "reject", correction)
    assert state(correction) == ("rejected", "")
    assert not labels()
    assert not Example.objects.filter(text="the gist of it").exists()


def test_relabelling_accepts_on_the_chosen_route(ada: AdminClient, alice: User) -> None:
    correction = filed(alice)
    act(ada, "relabel", correction, route="classify")
    assert state(correction) == ("accepted", "classify")
    assert labels() == {"the gist of it": ("classify", "correction")}
    act(ada, "relabel", correction, route="generate")
    assert labels() == {"the gist of it": ("generate", "correction")}


@pytest.mark.parametrize("fields", [{}, {"route": ""}, {"route": "nonsense"}])
def test_relabelling_needs_a_route(ada: AdminClient, alice: User, fields: dict[str, str]) -> None:
    correction = filed(alice)
    act(ada, "relabel", correction, **fields)
    assert state(correction) == ("pending", "")


@pytest.mark.parametrize("review", ["accept", "reject"])
def test_a_review_can_be_taken_back(ada: AdminClient, alice: User, review: str) -> None:
    correction = filed(alice)
    act(ada, review, correction)
    act(ada, "reopen", correction)
    assert state(correction) == ("pending", "")
    assert (correction.reviewer, correction.reviewed_at) == (None, None)
    assert not labels()
    assert AuditEntry.objects.filter(action="corrections").count() == 2


def test_what_another_accepted_correction_labels_too_stays(ada: AdminClient, alice: User, bob: User) -> None:
    mine, theirs = filed(alice), filed(bob, "the  gist of it ")
    act(ada, "accept", mine, theirs)
    act(ada, "reopen", mine)
    assert list(labels().values()) == [("generate", "correction")]
    act(ada, "reject", theirs)
    assert not labels()


def test_a_message_that_is_labelled_otherwise_is_left_and_said(ada: AdminClient, alice: User, bob: User) -> None:
    LabelledMessage.objects.create(text="known", route="summarise")
    first, second, third = filed(alice, "known"), filed(alice, "new"), filed(bob, "new", "classify")
    page = act(ada, "accept", first, second, third)
    assert "“known” is in the labelled set already, on the route /summarise" in said(page)
    assert "“new” is in the labelled set already, on the route /generate" in said(page)
    assert [state(each)[0] for each in (first, second, third)] == ["pending", "accepted", "pending"]
    assert LabelledMessage.objects.get(text="known").route == "summarise"


def test_what_was_labelled_before_stays_when_a_review_is_taken_back(ada: AdminClient, alice: User) -> None:
    LabelledMessage.objects.create(text="the gist of it", route="generate")
    correction = filed(alice)
    act(ada, "accept", correction)
    act(ada, "reopen", correction)
    assert LabelledMessage.objects.get(text="the gist of it").source == "written"


def test_nobody_accepts_their_own_while_somebody_else_could(ada: AdminClient, admin: User, alice: User) -> None:
    alice.is_staff = True
    alice.save()
    alice.user_permissions.add(Permission.objects.get(codename="change_correction"))
    own, other = filed(admin, "mine"), filed(alice, "hers")
    page = act(ada, "accept", own, other)
    assert "Your own corrections wait for somebody else to accept them: 1." in said(page)
    assert [state(own)[0], state(other)[0]] == ["pending", "accepted"]
    act(ada, "reject", own)
    assert state(own)[0] == "rejected"


def test_whoever_is_alone_accepts_their_own(ada: AdminClient, admin: User) -> None:
    own = filed(admin)
    act(ada, "accept", own)
    assert state(own)[0] == "accepted"


# --- Learning ---------------------------------------------------------------------------------------------------


@pytest.fixture
def base(artefact: bytes, monkeypatch: pytest.MonkeyPatch) -> Classifier:  # noqa: F811
    """The draft's classifier, which has learnt a few messages by heart; a refit has only those to keep."""
    monkeypatch.setattr(training, "own_samples", lambda seed: small_samples(), raising=False)
    classifier = store_classifier(artefact)
    drafts.set_classifier(classifier)
    publish(None)
    return classifier


def refit(client: AdminClient) -> Trial:
    """Press the button and do what the worker does."""
    response = client.post(f"{INBOX}refit/")
    assert response.status_code == 302
    ticket = response.headers["Location"].rstrip("/").rsplit("/", 1)[-1]
    refit_classifier(ticket)
    trial = Trial.find(ticket)
    assert trial
    return trial


def accepted(people: list[User], *texts: str, route: str = "generate") -> None:
    for person in people:
        for text in texts:
            filed(person, text, route, state="accepted", route=route, reviewed_at="2026-01-01T00:00Z")


def test_without_an_accepted_correction_there_is_nothing_to_learn(
    ada: AdminClient, alice: User, base: Classifier
) -> None:
    filed(alice)
    trial = refit(ada)
    assert (trial.state, "nothing to learn" in trial.outcome["text"]) == ("failed", True)
    assert drafts.classifier() == base


def test_a_refit_goes_into_the_draft_and_nowhere_else(
    ada: AdminClient, admin: User, alice: User, bob: User, base: Classifier
) -> None:
    text = "brief the board on the merger"
    accepted([alice, bob, admin], text, route="summarise")
    filed(alice, "not reviewed")
    live = Revision.objects.get(is_live=True)
    trial = refit(ada)
    assert trial.state == "done", trial.outcome
    fitted = drafts.classifier()
    assert fitted != base
    assert fitted.metadata["fitted_on"] == [Case(text, "summarise").fingerprint]
    assert fitted.metadata["base_sha256"] == base.sha256
    assert Revision.objects.get(is_live=True) == live
    assert live.classifier == base
    entry = AuditEntry.objects.get(action="refit")
    assert (entry.actor, entry.text) == (admin, "Fitted the draft's classifier with 3 corrections of 3 people.")
    assert RoleClassifier.load(bytes(fitted.content)).tell(text).role == "summarise"
    page = ada.get(f"{INBOX}refit/{trial.ticket}/").content.decode()
    assert "has learnt 3 corrections of 3 people" in page
    assert "Accuracy, the corrections" in page


def test_refitting_again_adds_no_weight_and_undoing_all_forgets_all(
    ada: AdminClient, alice: User, base: Classifier
) -> None:
    accepted([alice], "brief the board on the merger")
    refit(ada)
    first = drafts.classifier()
    refit(ada)
    assert drafts.classifier() == first
    act(ada, "reopen", *Correction.objects.all())
    assert "from before all corrections" in ada.get(f"{INBOX}refit/{refit(ada).ticket}/").content.decode()
    assert drafts.classifier() == base


def test_the_gate_leaves_out_what_was_learnt(ada: AdminClient, alice: User, base: Classifier) -> None:
    accepted([alice], "brief the board on the merger")
    trained = with_metadata(bytes(base.content), fitted_on=[Case("hello there", "generate").fingerprint])
    drafts.set_classifier(store_classifier(trained))  # as one is whose training learnt a message of the labelled set
    refit(ada)
    revision = publish(None)
    policy = policy_of(revision, embed)
    cases = [Case("brief the board on the merger", "generate"), Case("hello there", "generate")]
    assert judge(cases, policy, None, embed, 1.0, lambda done, total: None).left_out == 2


def test_routes_of_one_role_get_examples_that_three_people_stand_for(
    ada: AdminClient, admin: User, alice: User, bob: User, base: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters = Route.objects.create(name="letters", title="Letters", description="Letters.", role="generate")
    Example.objects.create(route=letters, text="write a letter")
    accepted([alice], *(f"a letter to {number}" for number in range(20)), route="letters")
    refit(ada)
    assert [example.text for example in letters.examples.all()] == ["write a letter"]
    accepted([admin, bob], "a letter to the mayor", route="letters")
    with monkeypatch.context() as patched:
        patched.setattr(drafts, "MAX_EXAMPLES", 1)
        assert refit(ada).outcome["examples"] == 0  # there would be more than a draft may have
    trial = refit(ada)
    assert trial.outcome["examples"] == 2
    texts = {example.text for example in letters.examples.all()}
    assert texts == {"write a letter", "a letter to 0", "a letter to the mayor"}
    assert not Example.objects.filter(route__role="summarise", text__startswith="a letter").exists()


def test_a_route_that_the_draft_has_not_is_left_out_and_said(ada: AdminClient, alice: User, base: Classifier) -> None:
    accepted([alice], "gone", route="no-such-route")
    accepted([alice], "here")
    trial = refit(ada)
    assert (trial.outcome["corrections"], trial.outcome["left_out"]) == (1, 1)


def test_a_draft_that_changed_meanwhile_is_not_overwritten(
    ada: AdminClient, alice: User, base: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted([alice], "brief the board on the merger")
    other = Classifier.objects.exclude(pk=base.pk).first()
    assert other

    def fit_while_somebody_else_works(content: bytes, *args: Any) -> bytes:
        Draft.objects.update(classifier=other)
        return content

    monkeypatch.setattr(training, "refit", fit_while_somebody_else_works, raising=False)
    trial = refit(ada)
    assert "changed the draft" in trial.outcome["text"]
    assert drafts.classifier() == other


def test_a_refit_needs_both_permissions(alice_with: Callable[..., AdminClient]) -> None:
    assert alice_with("router.change_correction", "router.view_correction").post(f"{INBOX}refit/").status_code == 403
    assert alice_with("router.change_route").post(f"{INBOX}refit/").status_code == 302
    assert alice_with().get(f"{INBOX}refit/").status_code == 405
