"""What admins save is the draft; publishing it, rolling back and files are pages of their own."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from router import revisions
from router.drafts import snapshot
from router.models import AuditEntry, Classifier, Draft, LabelledMessage, Revision, Route, Safeguards
from tests.admin.conftest import AdminClient, errors, fields_of, said
from tests.processes import Process, wait_until

DRAFT = "/admin/router/revision/draft/"
PUBLISH = f"{DRAFT}publish/"


def change(name: str) -> str:
    return f"/admin/router/route/{Route.objects.get(name=name).pk}/change/"


def live() -> Revision:
    return Revision.objects.get(is_live=True)


def fingerprint_on(page: Any) -> str:
    return str(page.context["form"].initial["fingerprint"])


def publish(ada: AdminClient, **data: str) -> Any:
    """Press a button of the draft's page as it is now."""
    form = {"fingerprint": fingerprint_on(ada.get(DRAFT)), "note": "", **data}
    return ada.post(PUBLISH, form, follow=True)


def reset(ada: AdminClient) -> Any:
    """Throw the changes away that the draft's page shows now."""
    return ada.post(f"{DRAFT}reset/", {"fingerprint": fingerprint_on(ada.get(DRAFT))}, follow=True)


def outcome(ada: AdminClient, page: Any) -> str:
    """The page of a check once it is finished."""
    address = page.redirect_chain[-1][0]

    def part() -> str:
        return str(ada.get(address, headers={"HX-Request": "true"}).content.decode())

    wait_until(lambda: "hx-trigger" not in part(), 120, "the check of the draft")
    return part()


# --- Editing ----------------------------------------------------------------------------------------------------


def test_saving_a_route_changes_the_draft_and_not_what_is_live(ada: AdminClient, defaults: None) -> None:
    before = live()
    threshold = str(Route.objects.get(name="summarise").threshold)
    page = ada.submit(change("summarise"), threshold="0.7", new_examples="one\ntwo")
    assert "until you <a href" in said(page)
    assert live() == before
    draft = ada.get(DRAFT).content.decode()
    for text in ("threshold", threshold, "0.7", "one", "two"):
        assert text in draft


def test_a_rule_that_cannot_be_read_any_more_is_said_on_the_drafts_page(ada: AdminClient, defaults: None) -> None:
    Route.objects.get(name="summarise").rules.create(kind="pattern", value="(unclosed")
    assert "A rule of the route Summary does not work" in ada.get(DRAFT).content.decode()


def test_a_draft_that_says_the_same_has_nothing_to_publish(ada: AdminClient, defaults: None) -> None:
    page = ada.get(DRAFT).content.decode()
    assert "what is live says the same" in page
    assert "Check and publish" not in page
    assert "not live yet" not in ada.get("/admin/").content.decode()
    ada.submit(change("summarise"), title="Digest")
    assert "not live yet" in ada.get("/admin/").content.decode()


def test_the_second_of_two_admins_is_told_and_nothing_is_overwritten(
    ada: AdminClient, alice_with: Callable[..., AdminClient], defaults: None
) -> None:
    alice = alice_with("router.view_route", "router.change_route")
    opened = alice.get(change("summarise")).context["adminform"].form["opened_version"].value()
    ada.submit(change("summarise"), title="Digest")
    page = alice.submit(change("summarise"), opened_version=opened, title="Short version", threshold="0.9")
    assert "ada changed this route after you had opened it" in errors(page)
    assert "Short version" in page.content.decode()  # nothing of what was typed is lost
    assert Route.objects.get(name="summarise").title == "Digest"
    alice.submit(change("summarise"), opened_version=opened, title="Short version", overwrite="on")
    assert Route.objects.get(name="summarise").title == "Short version"


def test_rows_that_somebody_else_deleted_can_be_saved_over_that(
    ada: AdminClient, alice_with: Callable[..., AdminClient], defaults: None
) -> None:
    route = Route.objects.get(name="summarise")
    route.rules.create(value="gist")
    alice = alice_with("router.view_route", "router.change_route")
    shown = fields_of(alice.get(change("summarise")))
    everything = snapshot()["routes"][0]
    for row in ("examples-0", "examples-1", "rules-0", "route_models-0"):
        ada.submit(change("summarise"), **{f"{row}-DELETE": "on"})
    assert snapshot()["routes"][0]["models"] == []
    page = alice.post(change("summarise"), shown)
    assert "ada changed this route after you had opened it" in errors(page)
    page = alice.post(change("summarise"), {**shown, "overwrite": "on", "examples-1-DELETE": "on"}, follow=True)
    assert "changed successfully" in said(page)
    mine = snapshot()["routes"][0]
    assert (mine["rules"], mine["models"]) == (everything["rules"], everything["models"])
    assert sorted(mine["examples"]) == sorted([everything["examples"][0], *everything["examples"][2:]])


def test_what_two_admins_add_alike_is_told_to_the_second(
    ada: AdminClient, alice_with: Callable[..., AdminClient], defaults: None
) -> None:
    alice = alice_with("router.view_route", "router.change_route")
    shown = fields_of(alice.get(change("summarise")))
    ada.submit(change("summarise"), new_examples="in a nutshell")
    row = {"examples-10-text": "in a nutshell", "examples-TOTAL_FORMS": 11}
    page = alice.post(change("summarise"), {**shown, **row, "overwrite": "on", "title": "Digest"})
    assert "Somebody else has added the same in the meantime" in errors(page)
    assert "Digest" in page.content.decode()
    assert Route.objects.get(name="summarise").title == "Summary"


# --- Publishing ---------------------------------------------------------------------------------------------------


@pytest.mark.processes
def test_a_draft_that_passes_goes_live_with_its_note(ada: AdminClient, workers: Process) -> None:
    ada.submit(change("summarise"), title="Digest", new_examples="in a nutshell, what is in there?")
    page = outcome(ada, publish(ada, note="a better name"))
    assert f"Revision {live().number} is live" in page
    assert (live().author.username, live().note) == ("ada", "a better name")  # type: ignore[union-attr]
    assert live().parent_id == live().number - 1
    assert live().evaluation["passes"]
    assert AuditEntry.objects.filter(action="publish", actor__username="ada", text__contains="a better name").exists()


@pytest.mark.processes
def test_a_draft_that_is_worse_is_refused_with_what_got_worse(ada: AdminClient, workers: Process) -> None:
    LabelledMessage.objects.create(text="Give me the gist of this article", route="summarise")
    before = live()
    row = {"rules-0-kind": "pattern", "rules-0-value": "gist", "rules-0-position": 0}
    ada.submit(change("generate"), **row)
    page = outcome(ada, publish(ada))
    assert "was not published" in page
    assert "Give me the gist of this article" in page
    assert live() == before
    Safeguards.objects.filter(pk=1).update(gate_margin=100)
    assert "is live" in outcome(ada, publish(ada))


def test_publishing_past_the_gate_takes_a_permission_and_is_written_down(
    ada: AdminClient, alice_with: Callable[..., AdminClient], defaults: None
) -> None:
    ada.submit(change("summarise"), title="Digest")
    permissions = ("router.view_route", "router.view_revision", "router.publish_revision")
    assert publish(alice_with(*permissions), override="1").status_code == 403
    assert live().number == 1
    page = publish(ada, override="1", note="no time")
    assert "is live" in said(page)
    assert AuditEntry.objects.get(action="override").text == "Revision 2 went past the gate: no time"
    assert live().evaluation == {"passes": False, "skipped": True}


def test_a_draft_that_changed_since_it_was_looked_at_is_not_published(ada: AdminClient, defaults: None) -> None:
    ada.submit(change("summarise"), title="Digest")
    seen = fingerprint_on(ada.get(DRAFT))
    ada.submit(change("summarise"), title="Something else")
    page = publish(ada, override="1", fingerprint=seen, note="a better name")
    assert "Somebody changed the draft in the meantime" in said(page)
    assert "a better name" in page.content.decode()  # nothing of what was typed is lost
    assert fingerprint_on(page) != seen
    assert live().number == 1


def test_without_a_worker_the_page_says_what_it_waits_for(
    ada: AdminClient, defaults: None, django_capture_on_commit_callbacks: Any
) -> None:
    ada.submit(change("summarise"), title="Digest")
    page = publish(ada)
    assert "No worker serves the queue “background”" in page.content.decode()


def test_only_those_who_may_publish_can(alice_with: Callable[..., AdminClient], defaults: None) -> None:
    alice = alice_with("router.view_route", "router.change_route", "router.view_revision")
    alice.submit(change("summarise"), title="Digest")
    assert "Check and publish" not in alice.get(DRAFT).content.decode()
    for page in (
        PUBLISH,
        f"{DRAFT}import/",
        f"{DRAFT}reset/",
        "/admin/router/revision/1/roll-back/",
        "/admin/router/revision/1/load/",
    ):
        assert alice.post(page).status_code == 403, page
    assert live().number == 1


# --- Going back ---------------------------------------------------------------------------------------------------


def test_rolling_back_makes_a_new_revision_and_the_draft_follows(ada: AdminClient, defaults: None) -> None:
    before = snapshot()
    ada.submit(change("summarise"), title="Digest", new_examples="one")
    publish(ada, override="1")
    page = ada.post("/admin/router/revision/1/roll-back/", follow=True)
    assert "Revision 3 is live: Back to revision 1" in said(page)
    assert live().snapshot == before == snapshot()
    assert AuditEntry.objects.filter(action="roll_back").count() == 1


def test_rolling_back_keeps_what_is_not_published(ada: AdminClient, defaults: None) -> None:
    ada.submit(change("summarise"), title="Digest")
    publish(ada, override="1")
    ada.submit(change("summarise"), title="Work in progress")
    ada.post("/admin/router/revision/1/roll-back/")
    assert live().snapshot["routes"][0]["title"] == "Summary"
    assert Route.objects.get(name="summarise").title == "Work in progress"


def test_a_revision_whose_model_is_gone_cannot_go_live_again(ada: AdminClient, defaults: None) -> None:
    route = Route.objects.get(name="classify")
    model = route.route_models.get().model
    route.delete()
    publish(ada, override="1")
    model.delete()
    page = ada.post("/admin/router/revision/1/roll-back/", follow=True)
    assert "A model of the route Classification has been deleted" in said(page)
    assert live().number == 2


def test_changes_can_be_thrown_away(ada: AdminClient, defaults: None) -> None:
    before, classifier = snapshot(), Draft.current().classifier
    other = Classifier.objects.create(sha256="0" * 64, content=b"", metadata={})
    Draft.objects.update(classifier=other)
    ada.submit(change("summarise"), title="Digest")
    Route.objects.get(name="classify").delete()
    assert "artefact" in ada.get(DRAFT).content.decode()
    reset(ada)
    assert snapshot() == before
    assert Draft.current().classifier == classifier
    assert revisions.draft_is_published()


def test_what_never_was_live_is_not_rolled_back_to(ada: AdminClient, admin: Any, defaults: None) -> None:
    ada.submit(change("summarise"), title="Digest")
    tried = revisions.make_revision(admin, "only tried out")
    assert "Roll back to this" not in ada.get(f"/admin/router/revision/{tried.number}/change/").content.decode()
    page = ada.post(f"/admin/router/revision/{tried.number}/roll-back/", follow=True)
    assert "never was live" in said(page)
    assert live().number == 1


def test_nobody_replaces_a_draft_that_somebody_else_has_changed(ada: AdminClient, defaults: None) -> None:
    seen = fingerprint_on(ada.get(DRAFT))
    file = ada.get(f"{DRAFT}export/").content
    ada.submit(change("summarise"), title="Digest")
    for page in (f"{DRAFT}reset/", "/admin/router/revision/1/load/"):
        assert "Somebody changed the draft" in said(ada.post(page, {"fingerprint": seen}, follow=True)), page
    assert "Somebody changed the draft" in upload(ada, file, seen)
    assert Route.objects.get(name="summarise").title == "Digest"


def test_a_revision_shows_what_it_changed(ada: AdminClient, defaults: None) -> None:
    ada.submit(change("summarise"), title="Digest", new_examples="in a nutshell")
    publish(ada, override="1", note="a better name")
    page = ada.get("/admin/router/revision/2/change/").content.decode()
    for text in ("a better name", "Summary", "Digest", "in a nutshell", "Roll back to this"):
        assert (text in page) == (text != "Roll back to this"), text
    assert "Roll back to this" in ada.get("/admin/router/revision/1/change/").content.decode()


def test_revisions_can_be_looked_at_and_nothing_else(ada: AdminClient, defaults: None) -> None:
    assert "live" in ada.get("/admin/router/revision/").content.decode()
    assert ada.get("/admin/router/revision/add/").status_code == 403
    assert ada.post("/admin/router/revision/1/delete/", {"post": "yes"}).status_code == 403
    for number in ("99", "9" * 5000, "first"):
        assert ada.get(f"/admin/router/revision/{number}/change/").status_code == 404


# --- Files --------------------------------------------------------------------------------------------------------


def upload(ada: AdminClient, content: bytes, fingerprint: str = "") -> str:
    file = SimpleUploadedFile("routes.toml", content)
    form = {"file": file, "fingerprint": fingerprint or fingerprint_on(ada.get(DRAFT))}
    return said(ada.post(f"{DRAFT}import/", form, follow=True))


def test_a_file_that_was_exported_brings_the_routes_back(ada: AdminClient, defaults: None) -> None:
    row = {"rules-0-kind": "pattern", "rules-0-value": "^contract\\b", "rules-0-position": 3}
    ada.submit(change("summarise"), prompt_template="Two\nlines, “quoted”.", new_examples='"""\n\\d', **row)
    before = snapshot()
    file = ada.get(f"{DRAFT}export/")
    assert 'filename="routes-draft.toml"' in file["Content-Disposition"]
    reset(ada)
    assert snapshot() != before
    assert "The draft is what the file says" in upload(ada, file.content)
    assert snapshot() == before
    assert live().number == 1
    assert ada.get("/admin/router/revision/1/export/").content.decode().count("[[routes]]") == 3


RULE = '{kind = "pattern", value = "a"}'


def with_rules(*rules: str) -> Callable[[str], str]:
    return lambda text: text.replace("rules = []", f"rules = [{', '.join(rules)}]", 1)


def with_threshold(threshold: str) -> Callable[[str], str]:
    return lambda text: re.sub(r"threshold = [0-9.]+", f"threshold = {threshold}", text)


def with_field(line: str) -> Callable[[str], str]:
    return lambda text: text.replace("[[routes]]", f"[[routes]]\n{line}", 1)


def with_options(options: str) -> Callable[[str], str]:
    return with_field(f"options = {options}")


@pytest.mark.parametrize(
    ("change_file", "complaint"),
    [
        (lambda text: "", "does not say “format = 1”"),
        (lambda text: "format = 1", "has no [[routes]]"),
        (lambda text: text[: len(text) // 2], "not TOML that can be read"),
        (lambda text: text.replace("MiniLM extractive", "GPT-9"), "no model “GPT-9” here. There are: MiniLM"),
        (lambda text: text.replace('name = "classify"', 'name = "summarise"'), "“summarise” is there twice"),
        (lambda text: text.replace('name = "classify"', 'name = "classify\\n"'), "“name”: Use lower-case letters"),
        (lambda text: text.replace('role = "classify"', 'role = "judge"'), "“role”"),
        (with_threshold("4"), "“threshold”"),
        (with_threshold('"high"'), "“threshold” is missing or of the wrong"),
        (lambda text: re.sub(r'classifier = ".*"', 'classifier = "abc"', text), "The classifier abc"),
        (lambda text: text.replace('"tl;dr"', "7"), "“examples” is a list of texts"),
        (lambda text: text.replace("rules = []", 'rules = [{kind = "luck", value = "x"}]', 1), "a rule has a kind out"),
        (with_rules(RULE, RULE), "the rule pattern “a” is there twice"),
        (with_rules('{kind = "pattern", value = "%s"}' % ("a" * 501)), "has 501 characters; 500 are allowed"),
        (
            lambda text: text.replace("[[routes]]", "[[routes]]\nis_default = true", 1),
            "marked as it: summarise, generate",
        ),
        (with_threshold("nan"), "nan, inf, or one that is too large"),
        (with_options("{a = [{b = inf}]}"), "nan, inf, or one that is too large"),
        (with_options("{a = 0x%s}" % ("f" * 400)), "nan, inf, or one that is too large"),
        (with_options("{a = %s}" % ("9" * 5000)), "not TOML that can be read"),
        (with_options("{a = 2026-01-01}"), "Route 1: “2026-01-01” is a date or a time"),
        (with_options('{"a\\u0000" = 1}'), "Route 1: there is a NUL character"),
        (lambda text: text.replace('"tl;dr"', '"tl\\u0000dr"'), "Route 1: there is a NUL character"),
        (lambda text: re.sub(r'classifier = ".*"', r'classifier = "\\u0000"', text), "NUL character"),
        (lambda text: text.encode("utf-16"), "not in UTF-8"),
        (with_field(f"options.{'.'.join('a' * 5000)} = 1"), "more than 20 tables or lists in each other"),
        (with_field('options = {temperature = "hot"}'), "“options”: The option temperature must be"),
        (with_field("options = {creativity = 1}"), "There is no option creativity"),
        (with_field('labels = [{name = "a", examples = [1]}, {name = "b"}]'), "“labels”: Labels are a list such as"),
        (with_field("treshold = 0.9"), "there is no “treshold”. There are: name, title"),
        (with_rules('{kind = "pattern", value = "a", place = 3}'), "there is no “place”"),
        (with_rules('{kind = "pattern", value = "(unclosed"}'), "the rule “(unclosed” does not work"),
        (lambda text: f"clasifier = 1\n{text}", "The file: there is no “clasifier”"),
        (lambda text: text.replace('"tl;dr"', str([*map(str, range(501))])[1:-1]), "examples; 500 are allowed"),
    ],
)
def test_a_file_that_will_not_do_is_refused_with_the_reason(
    ada: AdminClient, defaults: None, change_file: Callable[[str], str | bytes], complaint: str
) -> None:
    before = snapshot()
    changed = change_file(ada.get(f"{DRAFT}export/").content.decode())
    assert complaint in upload(ada, changed if isinstance(changed, bytes) else changed.encode() or b" ")
    assert snapshot() == before
