"""The gate before publishing: a draft that is worse on the labelled set does not go live by itself."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import safetensors.numpy
from django.contrib.auth.models import User

from chatsite.routing import publishing
from router import drafts, labelled_set
from router.artefact import METADATA_KEY, read_metadata
from router.labelled import Case
from router.models import AuditEntry, LabelledMessage, Revision, Route, Safeguards
from router.revisions import store_classifier
from tests.admin.conftest import AdminClient, said

DRAFT = "/admin/router/revision/draft/"
PUBLISHER = ("router.view_route", "router.view_revision", "router.publish_revision", "router.view_labelledmessage")
GIST = "give me the gist of this article"
CASES = [
    Case(GIST, "summarise"),
    Case("tl;dr", "summarise"),
    Case("is this spam or not spam: you won a prize", "classify"),
    Case("hello, how are you?", "generate"),
]


@pytest.fixture
def worse(defaults: None) -> Route:
    """A draft with a rule that sends one of four labelled messages to the wrong route."""
    LabelledMessage.objects.all().delete()
    labelled_set.add(CASES, None, "written")
    route = Route.objects.get(name="generate")
    route.rules.create(kind="pattern", value="gist")
    return route


def check(user: Any, publish: bool = True) -> str:
    """Have the draft checked; the address of the page that says what came of it. The task runs here and now."""
    if publish:
        trial = publishing.start_publication(user, "no gist", publishing.draft_fingerprint())
    else:
        trial = publishing.start_check(user)
    publishing.check_draft(trial.ticket)
    return f"{DRAFT}checks/{trial.ticket}/"


def live() -> int:
    return Revision.objects.get(is_live=True).number


def test_a_worse_draft_is_refused_and_the_page_shows_which_messages_got_worse(
    ada: AdminClient, admin: User, worse: Route
) -> None:
    page = ada.get(check(admin)).content.decode()
    assert "worse than what is live by more than 1 percentage point, so it was not published" in page
    assert GIST in page
    assert "0 for the better, 1 for the worse" in page
    assert "−25.0" in page  # points of accuracy
    assert "lets you publish it all the same" in page
    for link in ("no%20gist", "no+gist"):  # nothing of what was typed is lost
        assert f"{DRAFT}?note={link}" in page
    assert "no gist" in ada.get(f"{DRAFT}?note=no%20gist").content.decode()
    assert live() == 1
    assert not AuditEntry.objects.filter(action="publish").exclude(text__contains="Revision 1").exists()


def test_a_loss_that_new_routes_would_hide_is_told(ada: AdminClient, admin: User, worse: Route) -> None:
    poems = Route.objects.create(name="poems", title="Poems", description="Poems.", role="generate")
    poems.rules.create(kind="pattern", value="ode to")
    labelled_set.add([Case(f"an ode to {subject}", "poems") for subject in ("joy", "rain", "tea")], None, "written")
    page = ada.get(check(admin)).content.decode()
    assert "was not published" in page
    assert "+28.6" in page  # points of accuracy
    assert re.search("Accuracy on the routes that are live.*−25.0", page)


def test_a_worse_draft_may_still_be_looked_at(ada: AdminClient, admin: User, worse: Route) -> None:
    page = ada.get(check(admin, publish=False)).content.decode()
    assert "by more than 1 percentage point." in page
    assert "not published" not in page


def test_the_margin_is_that_of_the_safeguards(ada: AdminClient, admin: User, worse: Route) -> None:
    Safeguards.objects.update_or_create(pk=1, defaults={"gate_margin": 24.0})
    assert "by more than 24 percentage points" in ada.get(check(admin)).content.decode()
    Safeguards.objects.update(gate_margin=40.0)
    assert "Revision 2 is live." in ada.get(check(admin)).content.decode()
    evaluation = Revision.objects.get(is_live=True).evaluation
    assert (evaluation["count"], evaluation["margin"], evaluation["passes"]) == (4, 40.0, True)
    assert (evaluation["live"]["accuracy"], evaluation["draft"]["accuracy"]) == (1.0, 0.75)


def test_publishing_past_the_gate_takes_its_own_permission_and_is_in_the_audit_log(
    alice_with: Callable[..., AdminClient], alice: User, worse: Route
) -> None:
    client = alice_with(*PUBLISHER)
    form = {"fingerprint": publishing.draft_fingerprint(), "note": "the set is wrong", "override": "1"}
    assert "all the same" not in client.get(check(alice)).content.decode()
    assert client.post(f"{DRAFT}publish/", form).status_code == 403
    assert live() == 1
    client = alice_with("router.publish_past_gate")
    assert "all the same" in client.get(check(alice)).content.decode()
    assert "went past the gate" in said(client.post(f"{DRAFT}publish/", form, follow=True))
    assert live() == 2
    entry = AuditEntry.objects.get(action="override")
    assert (entry.actor, entry.text, entry.detail) == (
        alice,
        "Revision 2 went past the gate: the set is wrong",
        {"revision": 2},
    )


def test_what_the_drafts_classifier_was_fitted_on_does_not_count(ada: AdminClient, admin: User, worse: Route) -> None:
    content = bytes(drafts.classifier().content)
    metadata = {**read_metadata(content), "fitted_on": [CASES[0].fingerprint]}
    entry = {METADATA_KEY: json.dumps(metadata)}
    drafts.set_classifier(store_classifier(safetensors.numpy.save(safetensors.numpy.load(content), entry)))
    page = ada.get(check(admin)).content.decode()
    assert "Revision 2 is live." in page
    assert "On 3 labelled messages" in page
    assert "1 left out: a classifier was fitted on it" in page


def test_messages_of_a_route_that_the_draft_lacks_are_counted_as_left_out(
    ada: AdminClient, admin: User, worse: Route
) -> None:
    LabelledMessage.objects.create(text="an ode to joy", route="poems")
    assert "1 left out: the draft does not have its route" in ada.get(check(admin)).content.decode()


def test_a_draft_that_is_changed_while_it_is_checked_is_not_published(
    ada: AdminClient, admin: User, defaults: None
) -> None:
    Route.objects.filter(name="summarise").update(title="Digest")
    trial = publishing.start_publication(admin, "", publishing.draft_fingerprint())
    Route.objects.filter(name="summarise").update(title="Nutshell")
    publishing.check_draft(trial.ticket)
    assert "Somebody changed the draft in the meantime" in ada.get(f"{DRAFT}checks/{trial.ticket}/").content.decode()
    assert live() == 1


def test_without_labelled_messages_there_is_nothing_to_be_worse_on(ada: AdminClient, admin: User, worse: Route) -> None:
    LabelledMessage.objects.all().delete()
    page = ada.get(check(admin)).content.decode()
    assert "Revision 2 is live." in page
    assert "no labelled messages that it could be measured on" in page


def test_the_messages_are_for_those_who_may_see_them(
    alice_with: Callable[..., AdminClient], alice: User, worse: Route
) -> None:
    page = alice_with("router.view_route", "router.publish_revision").get(check(alice)).content.decode()
    assert "0 for the better, 1 for the worse" in page
    assert GIST not in page
    assert "shown to those who may view labelled messages" in page
