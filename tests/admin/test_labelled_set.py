"""The labelled set in the admin: one by one, and as files that come in whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command

from router import labelled_set
from router.labelled import MAX_MESSAGES, Case, LabelledFileError
from router.models import AuditEntry, LabelledMessage, Route
from tests.admin.conftest import AdminClient, errors, said

LIST = "/admin/router/labelledmessage/"
ADD, UPLOAD, DOWNLOAD = f"{LIST}add/", f"{LIST}upload/", f"{LIST}download/"


@pytest.fixture
def routes(defaults: None) -> None:
    """The default routes, and an empty set."""
    LabelledMessage.objects.all().delete()
    AuditEntry.objects.all().delete()


def audit() -> list[tuple[str, str]]:
    """Who did what to the set, the newest first."""
    entries = AuditEntry.objects.filter(action="labelled_set").select_related("actor")
    return [(str(entry.actor), entry.text) for entry in entries]


def upload(ada: AdminClient, content: str | bytes, name: str = "set.csv") -> Any:
    content = content.encode() if isinstance(content, str) else content
    return ada.post(UPLOAD, {"file": SimpleUploadedFile(name, content)}, follow=True)


def complaint(page: Any) -> str:
    return str(page.context["form"].errors["file"])


def labelled() -> dict[str, str]:
    return dict(LabelledMessage.objects.values_list("text", "route"))


# --- What a fresh installation has --------------------------------------------------------------------------------


def test_a_fresh_installation_has_messages_to_measure_on_and_only_a_fresh_one(defaults: None) -> None:
    shipped = LabelledMessage.objects.filter(source="shipped")
    assert shipped.count() == LabelledMessage.objects.count() > 100
    assert set(shipped.values_list("route", flat=True)) == {"summarise", "classify", "generate"}
    assert shipped.filter(added_by=None).count() == shipped.count()
    assert AuditEntry.objects.filter(action="labelled_set", actor=None).count() == 1
    LabelledMessage.objects.all().delete()
    call_command("load_defaults", verbosity=0)
    assert not LabelledMessage.objects.exists()


# --- One by one ---------------------------------------------------------------------------------------------------


def test_a_message_is_added_changed_and_deleted_and_each_is_written_down(ada: AdminClient, routes: None) -> None:
    ada.submit(ADD, text="shorter, please", route="summarise", context="A long answer")
    row = LabelledMessage.objects.get()
    assert (row.route, row.context, row.source, str(row.added_by)) == ("summarise", "A long answer", "written", "ada")
    ada.submit(f"{LIST}{row.pk}/change/", route="generate")
    assert labelled() == {"shorter, please": "generate"}
    ada.post(f"{LIST}{row.pk}/delete/", {"post": "yes"})
    assert labelled() == {}
    assert audit() == [
        ("ada", f"Deleted 1 labelled message: number {row.pk}."),  # never the text, which nothing could take back
        ("ada", f"Changed 1 labelled message: number {row.pk}."),
        ("ada", f"Added 1 labelled message: number {row.pk}."),
    ]


def test_saving_without_a_change_is_no_change(ada: AdminClient, routes: None) -> None:
    row = LabelledMessage.objects.create(text="two\nlines ", route="generate")
    ada.submit(f"{LIST}{row.pk}/change/", text="two\r\nlines ")  # as a browser sends it
    row.refresh_from_db()
    assert row.text == "two\nlines "
    assert audit() == []


def test_the_same_message_is_not_taken_twice_and_what_was_typed_stays(ada: AdminClient, routes: None) -> None:
    LabelledMessage.objects.create(text="tl;dr", route="summarise")
    page = ada.submit(ADD, text=" tl;dr ", route="generate", context="")
    assert "in the set already, on the route Summary" in errors(page)
    assert " tl;dr </textarea>" in page.content.decode()
    ada.submit(ADD, text="tl;dr", route="summarise", context="after another answer")
    assert LabelledMessage.objects.count() == 2


def test_what_somebody_else_adds_at_the_same_moment_is_told_too(
    ada: AdminClient, routes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    LabelledMessage.objects.create(text="tl;dr", route="summarise")
    twin_of, looked = labelled_set.twin_of, []

    def too_early(*arguments: Any, **options: Any) -> Any:
        looked.append(arguments)
        return twin_of(*arguments, **options) if len(looked) > 1 else None

    monkeypatch.setattr(labelled_set, "twin_of", too_early)
    page = ada.submit(ADD, text="tl;dr", route="generate", context="")
    assert "in the set already, on the route Summary" in errors(page)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"text": " \n "}, "nothing but spaces"),
        ({"route": ""}, "This field is required"),
        ({"route": "poems"}, "Select a valid choice"),
        ({"text": "x" * 100_001}, "at most 100000 characters"),
    ],
)
def test_what_cannot_be_labelled_is_refused(ada: AdminClient, routes: None, changes: Any, words: str) -> None:
    assert words in errors(ada.submit(ADD, **{"text": "hello", "route": "generate", **changes}))
    assert labelled() == {}


def test_a_route_that_is_gone_stays_on_its_messages_until_somebody_changes_it(ada: AdminClient, routes: None) -> None:
    row = LabelledMessage.objects.create(text="ode", route="poems")
    page = ada.get(f"{LIST}{row.pk}/change/").content.decode()
    assert "poems (not in the draft)" in page
    ada.submit(f"{LIST}{row.pk}/change/", text="ode to joy")
    assert labelled() == {"ode to joy": "poems"}


def test_the_list_is_searched_and_filtered(ada: AdminClient, routes: None) -> None:
    LabelledMessage.objects.create(text="zebra", route="generate", source="upload")
    LabelledMessage.objects.create(text="giraffe", context="stripes", route="classify", source="shipped")
    for query, found, hidden in [
        ("q=zebra", "zebra", "giraffe"),
        ("q=stripes", "giraffe", "zebra"),
        ("route__exact=classify", "giraffe", "zebra"),
        ("source__exact=upload", "zebra", "giraffe"),
    ]:
        rows = ada.get(f"{LIST}?{query}").context["cl"].result_list
        assert [row.text for row in rows] == [found], (query, hidden)


def test_thousands_are_deleted_at_once_and_that_is_one_entry(ada: AdminClient, routes: None) -> None:
    """More than a form may have fields: a wrong upload has to be undone."""
    labelled_set.add([Case(f"message {n}", "generate") for n in range(1500)], None, "upload")
    first = LabelledMessage.objects.first()
    chosen = {"action": "delete_selected", "select_across": "1", "_selected_action": first.pk}  # type: ignore[union-attr]
    page = ada.post(f"{LIST}?source__exact=upload", chosen)
    content = page.content.decode()
    assert "Delete 1500 labelled messages?" in content
    assert "and 1,490 more" in content
    assert content.count("_selected_action") == 1
    ada.post(f"{LIST}?source__exact=upload", {**chosen, "post": "yes"})
    assert labelled() == {}
    assert audit()[0] == ("ada", "Deleted 1,500 labelled messages.")
    assert len(audit()) == 2


# --- Files --------------------------------------------------------------------------------------------------------


def test_a_file_comes_in_and_says_what_was_there_already(ada: AdminClient, routes: None) -> None:
    LabelledMessage.objects.create(text="tl;dr", route="summarise")
    page = upload(ada, "text,route\ntl;dr,summarise\nspam?,classify\nhello,generate\nhello,generate\n")
    assert said(page) == "Added 2 messages. 2 more were there already, and skipped."
    assert labelled() == {"tl;dr": "summarise", "spam?": "classify", "hello": "generate"}
    assert set(LabelledMessage.objects.filter(added_by__username="ada").values_list("source", flat=True)) == {"upload"}
    assert audit() == [("ada", "Added 2 labelled messages: uploaded.")]


def test_two_files_with_the_same_messages_come_in_at_the_same_moment(
    ada: AdminClient, routes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    check, looked = labelled_set._check_routes, []

    def too_early(*arguments: Any) -> None:
        looked.append(arguments)
        check(*arguments)
        if len(looked) == 1:
            LabelledMessage.objects.create(text="tl;dr", route="summarise")

    monkeypatch.setattr(labelled_set, "_check_routes", too_early)
    assert "Added 1 message." in said(upload(ada, "text,route\ntl;dr,summarise\n"))
    assert labelled() == {"tl;dr": "summarise"}


def test_a_file_that_brings_nothing_new_is_no_change(ada: AdminClient, routes: None) -> None:
    LabelledMessage.objects.create(text="tl;dr", route="summarise")
    assert "Added 0 messages. 1 more was there already" in said(upload(ada, "text,route\ntl;dr,summarise\n"))
    assert audit() == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "The file is empty"),
        ("text,route\nhällo,generate\n".encode("latin-1"), "Save the file as UTF-8"),
        (b"text,route\ngenerate,hello\n", "The labels are in the wrong column"),
        (b"text,route\nhello,generate\node,poems\n", "“poems” (line 3)"),
        (b'{"text": "a", "route": "generate"}\n{oh\n', "Line 2 is not JSON"),
        (b"text,route\n" + b"hello,generate\n" * 100_000, f"more than {MAX_MESSAGES:,} messages"),
        (b"text,route\nhello,generate\ntl;dr,generate\n", "“tl;dr” is summarise in the set and generate in the file"),
    ],
)
def test_a_file_that_will_not_do_is_refused_as_a_whole(
    ada: AdminClient, routes: None, content: bytes, words: str
) -> None:
    LabelledMessage.objects.create(text="tl;dr", route="summarise")
    page = upload(ada, content)
    assert words in complaint(page)
    assert words.replace("“", "").split()[0] in page.content.decode()
    assert labelled() == {"tl;dr": "summarise"}
    assert audit() == []


def test_a_form_without_a_file_says_so(ada: AdminClient, routes: None) -> None:
    assert "This field is required" in complaint(ada.post(UPLOAD, {}))


def test_routes_of_the_draft_count_whether_they_are_live_or_not(ada: AdminClient, routes: None) -> None:
    Route.objects.create(name="poems", title="Poems", role="generate", description="Verse.")
    Route.objects.filter(name="classify").update(is_enabled=False)
    assert "Added 1 message." in said(upload(ada, "text,route\node,poems\n"))
    assert "“classify” (line 2)" in complaint(upload(ada, "text,route\nspam?,classify\n"))


def test_a_set_does_not_grow_without_end(ada: AdminClient, routes: None) -> None:
    labelled_set.add([Case(f"message {n}", "generate") for n in range(MAX_MESSAGES)], None, "upload")
    with pytest.raises(LabelledFileError, match="It has 20,000, and 1 would come on top"):
        labelled_set.add([Case("one more", "generate")], None, "upload")
    assert LabelledMessage.objects.count() == MAX_MESSAGES


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume asynchronous iterators")
def test_what_is_downloaded_can_be_uploaded_again(ada: AdminClient, routes: None) -> None:
    labelled_set.add(
        [Case("zwei\nZeilen “ü” \u2028", "generate"), Case("tl;dr", "summarise", "An answer")], None, "upload"
    )
    response = ada.get(DOWNLOAD)
    assert 'filename="labelled-messages.jsonl"' in response["Content-Disposition"]
    content = b"".join(response)
    rows = [json.loads(line) for line in content.decode().strip().split("\n")]
    assert rows[1] == {"text": "tl;dr", "route": "summarise", "context": "An answer"}
    before = list(LabelledMessage.objects.values_list("text", "context", "route", "fingerprint"))
    LabelledMessage.objects.all().delete()
    assert "Added 2 messages." in said(upload(ada, content, "set.jsonl"))
    assert list(LabelledMessage.objects.values_list("text", "context", "route", "fingerprint")) == before


# --- Who may --------------------------------------------------------------------------------------------------------


def test_looking_at_the_set_is_not_changing_it(alice_with: Callable[..., AdminClient], routes: None) -> None:
    row = LabelledMessage.objects.create(text="tl;dr", route="summarise")
    alice = alice_with("router.view_labelledmessage")
    page = alice.get(LIST).content.decode()
    assert "tl;dr" in page
    assert UPLOAD not in page
    assert alice.get(DOWNLOAD).status_code == 200
    assert alice.get(UPLOAD).status_code == upload(alice, "text,route\nhello,generate\n").status_code == 403
    assert alice.post(f"{LIST}{row.pk}/change/", {"text": "mine", "route": "generate"}).status_code == 403
    assert alice.post(f"{LIST}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    alice.post(LIST, {"action": "delete_selected", "_selected_action": row.pk, "post": "yes"})
    assert labelled() == {"tl;dr": "summarise"}


def test_without_a_permission_there_is_nothing(alice_with: Callable[..., AdminClient], routes: None) -> None:
    alice = alice_with("router.view_route")
    for page in (LIST, ADD, UPLOAD, DOWNLOAD):
        assert alice.get(page).status_code == 403, page
