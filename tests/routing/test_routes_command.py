"""`manage.py routes`: the gate, files, differences and the way back, from the command line and in CI."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.db import OperationalError

from chatsite.routing import publishing
from router import classifier, features, revisions
from router.artefact import SHIPPED
from router.drafts import snapshot
from router.models import AuditEntry, Draft, Revision, Route
from router.training_data import ROLES
from tests import processes


def routes(*arguments: Any) -> str:
    output = StringIO()
    call_command("routes", *map(str, arguments), stdout=output)
    return output.getvalue()


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    rows = [("Give me the gist of this article", "summarise"), ("spam or not spam: you have won", "classify")]
    path = tmp_path / "labelled.jsonl"
    path.write_text("".join(json.dumps({"text": text, "route": route}) + "\n" for text, route in rows))
    return path


@pytest.fixture
def worse(defaults: None) -> None:
    """A draft that sends one labelled message elsewhere."""
    Route.objects.get(name="generate").rules.create(value="gist")


def test_a_draft_that_is_worse_is_refused_with_the_failing_messages(worse: None, labelled: Path) -> None:
    output = StringIO()
    with pytest.raises(CommandError, match="Nothing was published") as refused:
        call_command("routes", "publish", "--labelled", str(labelled), stdout=output)
    assert refused.value.returncode == 1
    assert "summarise -> generate: Give me the gist of this article" in output.getvalue()
    assert Revision.objects.count() == 1


def test_the_margin_can_be_given_and_every_difference_is_told(worse: None, labelled: Path) -> None:
    output = routes("check", "--labelled", labelled, "--margin", 50)
    assert "accuracy 0.500" in output
    assert output.split("Decided otherwise: ")[1].splitlines() == [
        "1; 0 for the better, 1 for the worse.",
        "  summarise: summarise -> generate: Give me the gist of this article (by a rule)",
        "Mistakes: 1, the surest first.",
        "  summarise -> generate: Give me the gist of this article (by a rule)",
        "Right routes down, taken ones across:",
        "            summarise classify generate",
        "  summarise         0        0        1",
        "  classify          0        1        0",
    ]


def test_a_message_is_tried_on_the_draft_beside_what_is_live(worse: None) -> None:
    live, draft = routes("try", "Give me the gist of this article").split("Draft: ")
    assert live.startswith("Live: Summary, by the classifier\n  scores: Summary 0.")
    assert "nearest examples: “" in live
    assert draft.splitlines() == [
        "Chat, by a rule (The message matches a regular expression: gist)",
        "The draft decides otherwise: Chat instead of Summary.",
    ]
    assert "There is no route “nothing”" in routes("try", "hello", "--route", "nothing")


def test_a_draft_that_is_not_worse_is_published(admin: Any, defaults: None, labelled: Path) -> None:
    Route.objects.filter(name="summarise").update(title="Digest")
    assert "Revision 2 is live" in routes("publish", "--labelled", labelled, "--note", "a name", "--author", "ada")
    live = Revision.objects.get(is_live=True)
    assert (live.note, live.author) == ("a name", admin)


def test_publishing_past_the_gate_is_written_down(worse: None, labelled: Path) -> None:
    assert "Revision 2 is live" in routes("publish", "--labelled", labelled, "--past-gate", "--note", "hurry")
    assert AuditEntry.objects.get(action="override").text == "Revision 2 went past the gate: hurry"


def test_a_wider_margin_is_a_way_past_the_gate(worse: None, labelled: Path) -> None:
    assert "Revision 2 is live" in routes("publish", "--labelled", labelled, "--margin", "60")
    text = "Revision 2 went past the gate: it passed with a margin of 60 instead of 1."
    assert AuditEntry.objects.get(action="override").text == text
    found = AuditEntry.objects.get(action="publish", detail__revision=2).detail["evaluation"]
    assert (found["margin"], found["count"], found["labelled"]) == (60, 2, str(labelled))


@pytest.mark.parametrize("action", ["override", "import"])
def test_nothing_happens_that_cannot_be_written_down(
    worse: None, labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    commands = {
        "override": ["publish", "--past-gate", "--labelled", labelled],
        "import": ["import", _export(tmp_path, "live")],
    }
    before, write = snapshot(), AuditEntry.write

    def full(actor: Any, what: str, *args: Any, **detail: Any) -> Any:
        if what == action:
            raise OperationalError("disk full")
        return write(actor, what, *args, **detail)

    monkeypatch.setattr(AuditEntry, "write", full)
    with pytest.raises(OperationalError):
        routes(*commands[action])
    assert snapshot() == before
    assert Revision.objects.get(is_live=True).number == 1


@pytest.mark.processes
def test_the_gate_in_ci_ends_with_one_for_a_file_that_is_worse(
    transactional_db: None, defaults: None, labelled: Path, tmp_path: Path
) -> None:
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    routes("export", "--output", good)
    bad.write_text(good.read_text().replace("rules = []", 'rules = [{kind = "pattern", value = "spam"}]', 1))
    for file, code in ((good, 0), (bad, 1)):
        command = ["manage.py", "routes", "check", "--file", str(file), "--labelled", str(labelled)]
        process = processes.Process(*command)
        assert process.wait(120) == code, process.log.read_text()
    assert "classify -> summarise: spam or not spam" in process.log.read_text()
    assert Revision.objects.count() == 1


def test_a_file_of_another_installation_is_measured_without_its_models(
    defaults: None, labelled: Path, tmp_path: Path
) -> None:
    file = tmp_path / "routes.toml"
    there = routes("export").replace("MiniLM extractive", "Acme large").replace("groups = []", 'groups = ["Staff"]', 1)
    file.write_text(there)
    with pytest.raises(CommandError, match="no group “Staff” here"):
        routes("check", "--file", file, "--labelled", labelled)
    output = routes("check", "--file", file, "--beside", file, "--labelled", labelled, "--elsewhere")
    assert "draft  accuracy 1.000" in output


def test_two_files_are_compared_with_each_other(worse: None, labelled: Path, tmp_path: Path) -> None:
    before, after = tmp_path / "before.toml", tmp_path / "after.toml"
    routes("export", "live", "--output", before)
    routes("export", "--output", after)
    routes("publish", "--past-gate")  # what is live does not matter
    with pytest.raises(CommandError, match="The gate refuses it"):
        routes("check", "--file", after, "--beside", before, "--labelled", labelled)
    assert "accuracy 1.000" in routes("check", "--file", before, "--beside", after, "--labelled", labelled)


def test_differences_are_told_in_lines(defaults: None) -> None:
    assert routes("diff") == ""
    route = Route.objects.get(name="summarise")
    before = route.threshold
    route.examples.filter(text="tl;dr").delete()
    route.rules.create(value="^short")
    Route.objects.filter(name="summarise").update(threshold=0.7)
    Route.objects.get(name="classify").delete()
    assert routes("diff").splitlines() == [
        "Classification: - route: classify",
        f"Summary: threshold: {before} → 0.7",
        "Summary: + rule: pattern ^short (place 0)",
        "Summary: - example: tl;dr",
    ]
    assert routes("diff", "1", "live") == ""


def test_a_long_text_is_shown_where_it_changes(defaults: None) -> None:
    text = "Be brief. " * 60
    Route.objects.filter(name="summarise").update(prompt_template=text)
    routes("publish", "--past-gate")
    Route.objects.filter(name="summarise").update(prompt_template=f"{text}Never guess.")
    [line] = routes("diff").splitlines()
    assert line.endswith("Be brief. Never guess.")
    assert len(line) < 200


def test_what_differs_from_what_is_live_is_told(defaults: None) -> None:
    route = Route.objects.get(name="summarise")
    for text, value in (("tl;dr", "short"), ("recap this", "long")):
        route.examples.get_or_create(text=text)
        route.rules.create(value=value)
    routes("publish", "--past-gate")
    for rows in (route.examples.filter(text="tl;dr"), route.rules.filter(value="short")):
        [row] = rows
        row.delete()
        row.save()  # the same, after the others
    assert (routes("diff"), revisions.draft_is_published()) == ("", True)
    route.examples.filter(text="tl;dr").update(is_quoted=False)
    assert routes("diff") == "Summary: example tl;dr: may be quoted → not for others to see\n"
    assert not revisions.draft_is_published()


def test_a_file_makes_the_draft(defaults: None, tmp_path: Path) -> None:
    file = tmp_path / "routes.toml"
    file.write_text(routes("export").replace('title = "Summary"', 'title = "Digest"'))
    assert "Nothing is published yet" in routes("import", file)
    assert snapshot()["routes"][0]["title"] == "Digest"
    assert 'title = "Summary"' in routes("export", "live")


def test_what_is_not_to_be_quoted_and_who_may_use_it_survive_the_way_through_a_file(
    defaults: None, tmp_path: Path
) -> None:
    group, route = Group.objects.create(name="Lawyers"), Route.objects.get(name="classify")
    route.groups.set([group])
    route.examples.create(text="what somebody wrote\r\non Windows", is_quoted=False)
    Route.objects.filter(pk=route.pk).update(options={"seed": None})
    before, file = snapshot(), tmp_path / "routes.toml"
    routes("export", "--output", file)
    route.delete()
    routes("import", file)
    assert snapshot()["routes"][1] == before["routes"][1] | {"options": {}}
    routes("publish", "--past-gate")
    group.delete()
    with pytest.raises(CommandError, match=r"no group “group .*, which is gone” here"):
        routes("import", _export(tmp_path, "live"))


def _export(folder: Path, what: str) -> Path:
    routes("export", what, "--output", folder / "old.toml")
    return folder / "old.toml"


def test_labels_that_are_no_routes_do_not_pass_for_nothing_to_measure(defaults: None, tmp_path: Path) -> None:
    file = tmp_path / "labelled.jsonl"
    file.write_text('{"text": "Give me the gist", "route": "Summarise"}')
    with pytest.raises(CommandError, match="Summarise"):
        routes("check", "--labelled", file)


def test_a_classifier_travels_as_a_file(defaults: None, tmp_path: Path) -> None:
    file = tmp_path / "classifier.safetensors"
    routes("export-classifier", "live", "--output", file)
    sha = Draft.current().classifier_id
    Draft.objects.update(classifier=None)
    assert str(sha)[:12] in routes("import-classifier", file)
    assert Draft.current().classifier_id == sha
    file.write_bytes(b"nothing of the kind")
    with pytest.raises(CommandError):
        routes("import-classifier", file)
    Draft.objects.update(classifier=None)
    with pytest.raises(CommandError, match="no classifier yet"):
        routes("export-classifier", "--output", file)


def test_a_classifier_from_a_file_is_written_down(defaults: None, admin: Any) -> None:
    routes("import-classifier", SHIPPED, "--author", "ada")
    entry = AuditEntry.objects.latest("id")
    sha = str(Draft.current().classifier_id)
    assert (entry.actor, entry.action, entry.detail) == (admin, "import", {"classifier": sha})


@pytest.mark.parametrize(
    ("roles", "version", "complaint"),
    [(ROLES, "older", "fitted with other features"), (("yes", "no"), features.VERSION, "tells other roles apart")],
)
def test_a_classifier_that_cannot_be_run_is_not_taken_in(
    defaults: None, tmp_path: Path, roles: tuple[str, ...], version: str, complaint: str
) -> None:
    file, before = tmp_path / "classifier.safetensors", Draft.current().classifier_id
    weights = np.zeros((features.DIMENSIONS, len(roles)))
    file.write_bytes(classifier.save(roles, weights, np.zeros(len(roles)), {"features": version}))
    with pytest.raises(CommandError, match=complaint):
        routes("import-classifier", file)
    assert Draft.current().classifier_id == before


def test_a_draft_that_was_measured_beside_another_revision_is_not_published(
    worse: None, labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Route.objects.get(name="generate").rules.all().delete()
    measure = publishing.measure

    def meanwhile(*args: Any) -> Any:
        verdict = measure(*args)
        revisions.roll_back(None, Revision.objects.get(number=1))
        return verdict

    monkeypatch.setattr(publishing, "measure", meanwhile)
    with pytest.raises(CommandError, match="Another revision went live in the meantime"):
        routes("publish", "--labelled", labelled)
    assert Revision.objects.get(is_live=True).number == 2


def test_the_way_back(defaults: None) -> None:
    Route.objects.filter(name="summarise").update(title="Digest")
    routes("publish", "--past-gate")
    assert "Revision 3 is live: Back to revision 1" in routes("roll-back", 1)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["check", "--file", "nowhere.toml"], "nowhere.toml cannot be read: No such file"),
        (["check", "--labelled", "nowhere.csv"], "nowhere.csv cannot be read: No such file"),
        (["diff", "1", "99"], "no revision “99”"),
        (["roll-back", "first"], "no revision “first”"),
        (["roll-back", "9" * 5000], "no revision “999"),
        (["publish", "--author", "nobody"], "no user “nobody”"),
        (["publish", "--margin", "inf"], "no number of percentage points"),
        (["check", "--margin", "x"], "no number of percentage points"),
        (["publish", "--note", "x" * 201], "it has 201 characters; 200 are allowed"),
        (["export", "--output", "/nowhere/routes.toml"], "/nowhere/routes.toml cannot be written: No such file"),
        (["export-classifier", "--output", "/"], "/ cannot be written: Is a directory"),
    ],
)
def test_what_cannot_be_done_is_said(defaults: None, arguments: list[str], complaint: str) -> None:
    with pytest.raises(CommandError, match=complaint):
        routes(*arguments)
