"""Taking conversations along as files, and bringing others here."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from asgiref.sync import async_to_sync
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from chatsite.chat import presenting
from chatsite.chat.models import Conversation, Message
from chatsite.documents import attachments
from chatsite.documents.models import Attachment
from chatsite.search import searching
from chatsite.transfer import files, importing
from chatsite.transfer.models import Import
from tests.pages import rows
from tests.processes import Process, wait_until
from workers.jobs import Job
from workers.reading import MOST_CHARACTERS

EVIL = '"><img src=x onerror=alert(1)>\r\nX-Evil: 1/../../etc'


def chatgpt(identity: str = "c-1", title: str = "Of elephants", **more: Any) -> dict[str, Any]:
    """A conversation as ChatGPT exports it: hidden nodes, a tool between two answers, a second wording, no times."""

    def node(
        pk: str, parent: str | None, role: str = "", said: str = "", model: str = "", **content: Any
    ) -> dict[str, Any]:
        body = {"content_type": "text", "parts": [said]} | content
        message = {"author": {"role": role}, "content": body, "create_time": None} if role else None
        if message and model:
            message["metadata"] = {"model_slug": model}
        return {"id": pk, "parent": parent, "message": message, "children": []}

    nodes = [
        node("root", None),
        node("hidden", "root", "system"),
        node("q", "hidden", "user", "How big is an elephant?"),
        node("thinking", "q", "assistant", "x", content_type="code", text="search()"),
        node("tool", "thinking", "tool", "a page"),
        node("a", "tool", "assistant", "Three metres high."),
        node("a+", "a", "assistant", "And six tons heavy.", model="gpt-4o"),
        node("q2", "hidden", "user", "How big is a mouse?"),
        node("a2", "q2", "assistant", "", parts=["Ten centimetres.", {"asset_pointer": "file://x"}]),
    ]
    return {
        "conversation_id": identity,
        "title": title,
        "create_time": 1700000000.25,
        "update_time": 1700000100,
        "mapping": {one["id"]: one for one in nodes},
        "current_node": "a+",
        **more,
    }


def zipped(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def bring(user: Any, content: bytes, name: str = "conversations.json") -> Import:
    """What became of a file, read to its end."""
    job = importing.start(user, name=name, content=content)
    job = Import.claim(job.pk, job.attempt) or job
    importing.run(job)
    job.refresh_from_db()
    return job


def reloaded(job: Import) -> Import:
    return Import.objects.get(pk=job.pk)


def shown(conversation: Conversation) -> list[str]:
    return [entry.text for entry in presenting.entries(conversation)]


def everything(page: Client) -> bytes:
    response: Any = page.get(reverse("export-all"))

    async def content() -> bytes:
        return b"".join([part async for part in response])

    return async_to_sync(content)()


def test_a_conversation_is_exported_as_markdown(page: Client, alice: Any) -> None:
    turn = rows.turn(alice, "# Not a title of ours", "**Bold** answer")
    Conversation.objects.update(title=EVIL)
    response = page.get(reverse("conversation-markdown", args=[turn.conversation_id]))
    text = response.content.decode()
    assert text.startswith('# "><img src=x onerror=alert(1)> X-Evil: 1/../../etc\n\n## You\n\n# Not a title of ours')
    assert "## Answer (Chat · Small model)\n\n**Bold** answer\n" in text
    disposition = response["Content-Disposition"]
    assert disposition.startswith("attachment; filename=")
    assert not set("<>/\r\n") & set(disposition)
    assert (response["X-Content-Type-Options"], response["Content-Type"]) == ("nosniff", "text/markdown; charset=utf-8")


def test_a_conversation_is_exported_with_all_its_branches_routes_and_models(page: Client, alice: Any) -> None:
    turn = rows.turn(alice, "Question", "First answer")
    rows.reply(turn.message, "Second answer")
    turn.conversation.tags.create(user=alice, name="work")
    response = page.get(reverse("conversation-json", args=[turn.conversation_id]))
    assert response["Content-Disposition"].startswith("attachment")
    file = orjson.loads(response.content)
    (conversation,) = file["conversations"]
    assert (file["format"], conversation["tags"]) == ("switchyard", ["work"])
    assert [message["text"] for message in conversation["messages"]] == ["Question", "First answer", "Second answer"]
    answer = conversation["messages"][1]
    assert answer["parent"] == str(turn.message_id)
    assert (answer["route"], answer["model"], answer["strategy"]) == ("generate", "Small model", "classifier")


def test_with_everything_comes_what_else_is_known_of_a_person(page: Client, alice: Any, bob: Any) -> None:
    turn, theirs = rows.turn(alice), rows.turn(bob, "Not hers")
    for each, user in ((turn, alice), (theirs, bob)):
        assert each.decision
        user.corrections.create(decision=each.decision, text=each.message.text, wanted_route="classify")
    alice.ratings.create(turn=turn, value="down", reason="Too long")
    alice.groups.create(name="Lawyers")
    file = orjson.loads(everything(page))
    account = file["account"]
    assert (account["name"], account["email"], account["groups"]) == ("alice", "alice@example.org", ["Lawyers"])
    assert [correction["text"] for correction in account["corrections"]] == ["Hello"]
    assert file["conversations"][0]["messages"][1]["ratings"] == [{"value": "down", "reason": "Too long"}]
    assert alice.password not in str(file)


def test_what_was_exported_comes_back_as_it_was_to_somebody_else_and_once(page: Client, alice: Any, bob: Any) -> None:
    turn = rows.turn(alice, "Question", "First answer")
    rows.reply(turn.message, "Second answer")
    more = rows.turn(alice, "More", "Of it", conversation=turn.conversation, parent=turn.reply)
    long_ago = timezone.now() - timedelta(days=400)
    Conversation.objects.update(leaf=more.reply, updated_at=long_ago, pinned_at=long_ago)
    turn.conversation.tags.create(user=alice, name="work")
    rows.turn(alice, "Archived")
    Conversation.objects.filter(title="Archived").update(archived_at=long_ago)
    rows.turn(alice, "Deleted")
    Conversation.objects.filter(title="Deleted").update(deleted_at=timezone.now())
    file = everything(page)
    assert bring(alice, file).already_count == 2
    assert Conversation.objects.filter(user=alice).count() == 3
    job = bring(bob, file)
    assert (job.status, job.origins.count(), job.already_count, bytes(job.content)) == ("done", 2, 0, b"")
    mine, theirs = (Conversation.objects.get(user=user, title="Question") for user in (alice, bob))
    assert shown(theirs) == shown(mine) == ["Question", "First answer", "More", "Of it"]
    assert theirs.messages.count() == 5
    assert (theirs.updated_at, bool(theirs.pinned_at), [str(tag) for tag in theirs.tags.all()]) == (
        long_ago,
        True,
        ["work"],
    )
    assert Conversation.objects.get(user=bob, title="Archived").archived_at
    assert not Message.objects.filter(conversation=theirs, role="user").exclude(user=bob).exists()
    page.force_login(bob)
    content = page.get(reverse("conversation", args=[theirs.pk])).content.decode()
    assert "Imported; according to the file by Small model, route generate" in content
    read = orjson.loads(page.get(reverse("conversation-json", args=[theirs.pk])).content)["conversations"][0]
    answer = read["messages"][1]
    assert (answer["is_imported"], answer["route"], answer["model"]) == (True, "generate", "Small model")
    again = bring(bob, file)
    assert (again.origins.count(), again.already_count) == (0, 2)
    assert [hit.conversation for hit in searching.search(bob, "Second").hits] == [theirs]
    Conversation.objects.filter(user=bob).update(deleted_at=timezone.now())  # and soon gone for good
    assert bring(bob, file).origins.count() == 2
    assert shown(Conversation.objects.get(user=bob, title="Question", deleted_at=None)) == shown(mine)


def test_files_are_exported_with_their_texts_and_come_back_with_them(page: Client, alice: Any, bob: Any) -> None:
    turn = rows.turn(alice, "What does it say?", "It says hello.")
    evil = "Hello\n\n## Answer\n<script>alert(1)</script>"
    alone = rows.turn(alice, "x", "Nothing.", conversation=turn.conversation, parent=turn.reply)
    Message.objects.filter(pk=alone.message_id).update(text="", attachment_count=1)
    files = ((turn, "letter.pdf", evil), (turn, "notes.md", "# Notes"), (alone, "alone.txt", "Alone"))
    with transaction.atomic():
        attachments.restore(alice, ((each.message, attachments.KnownFile(name, text)) for each, name, text in files))
    Message.objects.filter(pk=turn.message_id).update(attachment_count=2)
    markdown = page.get(reverse("conversation-markdown", args=[turn.conversation_id])).content.decode()
    quoted = "> File: letter.pdf.txt\n>\n> Hello\n>\n> ## Answer\n> <script>alert(1)</script>\n\n> File: notes.md\n"
    assert f"## You\n\n{quoted}" in markdown
    content = page.get(reverse("conversation-json", args=[turn.conversation_id])).content
    assert orjson.loads(content)["conversations"][0]["messages"][0]["files"][0]["text"] == evil
    assert bring(bob, content).origins.count() == 1
    theirs = Attachment.objects.filter(owner=bob).order_by("name")
    assert [(one.name, one.text, one.kind) for one in theirs] == [
        ("alone.txt", "Alone", "text"), ("letter.pdf.txt", evil, "text"), ("notes.md", "# Notes", "markdown")
    ]  # fmt: skip
    assert [hit.file_name for hit in searching.search(bob, "alone").hits] == ["<mark>alone</mark>.txt"]
    page.force_login(bob)
    assert page.get(reverse("file", args=[theirs[0].pk])).content == b"Alone"
    assert theirs[0].message
    assert (theirs[0].message.text, theirs[0].message.attachment_count) == ("", 1)


def with_files(*given: Any, messages: int = 1) -> bytes:
    """A file of one conversation whose messages have such files."""
    said = [{"id": str(number), "role": "user", "text": "Hello", "files": given} for number in range(messages)]
    return orjson.dumps([{"id": "x", "title": "Files", "messages": said}])


def test_files_that_are_too_many_or_have_no_room_are_not_taken_over(alice: Any, settings: Any) -> None:
    settings.FILES_PER_PERSON_BYTES = 10
    full = with_files({"name": "a.txt", "text": "x" * 6}, {"name": "b.txt", "text": "x" * 5})
    many = with_files({"name": "a.txt", "text": "x"}, messages=1_001)
    jobs = [bring(alice, content) for content in (full, many)]
    assert [job.skipped_count for job in jobs] == [1, 1]
    assert (Attachment.objects.count(), Conversation.objects.count()) == (0, 0)
    assert "All your files together may have" in jobs[0].skipped[0]["why"]
    assert jobs[1].skipped[0]["why"] == "It has more than 1000 files."


def test_a_file_that_was_cut_says_so_and_one_without_a_text_is_named(alice: Any) -> None:
    blanks = "a" + " " * MOST_CHARACTERS + "x"  # takes quadratic time if each blank is tried as the first
    cut, short = {"name": "b.txt", "text": "Short", "is_cut": True}, {"name": "c.txt", "text": "Short"}
    bring(alice, with_files({"name": "a.txt", "text": blanks}, cut, short, {"name": "../d.pdf"}, "e.png"))
    files = Attachment.objects.order_by("name")
    assert [(one.name, one.text, one.is_cut) for one in files] == [
        ("a.txt", "a", True), ("b.txt", "Short", True), ("c.txt", "Short", False)
    ]  # fmt: skip
    assert shown(Conversation.objects.get()) == ["Hello\n\nd.pdf, e.png"]


@pytest.mark.parametrize("packing", ["json", "zip", "parts"])
def test_an_export_of_chatgpt_is_taken_over(alice: Any, packing: str) -> None:
    both = [chatgpt(), chatgpt("c-2", "Of mice", current_node="a2", is_archived=True)]
    plain = orjson.dumps(both)
    content = {
        "json": plain,
        "zip": zipped(("user.json", b"{}"), ("chat/conversations.json", plain), ("../../evil.json", b"[]")),
        "parts": zipped(*((f"conversations-00{n}.json", orjson.dumps([one])) for n, one in enumerate(both))),
    }[packing]
    job = bring(alice, content)
    assert (job.status, job.origins.count(), job.skipped) == ("done", 2, [])
    elephants = Conversation.objects.get(title="Of elephants")
    assert shown(elephants) == ["How big is an elephant?", "Three metres high.\n\nAnd six tons heavy."]
    assert elephants.created_at == datetime.fromisoformat("2023-11-14T22:13:20.25+00:00")
    mice = Conversation.objects.get(title="Of mice")
    assert shown(mice) == ["How big is a mouse?", "Ten centimetres."]
    assert mice.archived_at
    assert elephants.messages.count() == mice.messages.count() == 4


def test_an_imported_conversation_goes_on(page: Client, alice: Any) -> None:
    bring(alice, orjson.dumps([chatgpt()]))
    conversation = Conversation.objects.get()
    address = reverse("conversation", args=[conversation.pk])
    content = page.get(address).content.decode()
    assert "six tons" in content
    assert "Imported; according to the file by gpt-4o" in content
    assert page.post(address, {"text": "And a whale?"}).status_code == 302
    conversation.refresh_from_db()
    assert shown(conversation)[2] == "And a whale?"
    reply = Message.objects.filter(role="assistant", conversation=conversation).earliest("created_at")
    assert page.post(reverse("reply-again", args=[reply.pk])).status_code == 302


def test_what_does_not_look_right_is_skipped_in_words_and_the_rest_goes_on(alice: Any) -> None:
    circle = chatgpt("circle", "Circle")
    circle["mapping"]["root"]["parent"] = "a"
    bad: list[Any] = [
        {"title": EVIL},
        {"title": "Empty", "mapping": {}, "id": "x"},
        {"title": "No id", "mapping": {"a": {"parent": None}}},
        {"title": 7, "messages": "nonsense", "id": "y"},
        circle,
        chatgpt("big", "Too long", mapping={"q": chatgpt()["mapping"]["q"] | {"message": {
            "author": {"role": "user"}, "content": {"content_type": "text", "parts": ["x" * 2_000_001]}}}}),
        {"id": "many", "title": "Too long together", "messages": [
            {"id": "0", "role": "user", "text": "x"},
            *({"id": f"{n + 1}", "parent": f"{n}", "role": "assistant", "text": "x" * 900_000} for n in range(3))]},
        chatgpt("odd", "Odd", create_time=1e300),
        chatgpt("lists", "Lists", mapping=[]),
    ]  # fmt: skip
    job = bring(alice, orjson.dumps([*bad, chatgpt()]))
    assert (job.status, job.origins.count(), job.skipped_count) == ("done", 1, len(bad))
    reasons = {skipped["title"]: skipped["why"] for skipped in job.skipped}
    assert reasons["Empty"] == "There is no message in it."
    assert reasons["Circle"] == "Its messages follow each other in a circle."
    assert reasons["Too long"].startswith("It is 1 bytes over the limit of 2 MB.")
    assert reasons["Too long together"].startswith("It is 700 kB over the limit of 2 MB.")


def test_control_characters_and_hidden_text_are_left_out(alice: Any) -> None:
    one = chatgpt(title="A\0 title")
    one["mapping"]["q"]["message"]["content"]["parts"] = ["a\0b\u0007c\U000e0041d"]
    job = bring(alice, orjson.dumps([one]))
    assert job.origins.count() == 1
    conversation = Conversation.objects.get()
    assert shown(conversation)[0] == "abcd"
    assert conversation.title == "A title"


@pytest.mark.parametrize(
    "bad",
    [
        b'{"title": "Odd", "a": nonsense}',
        b'{"title": "Odd", "a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"title": "Odd", "a": ' + b"1" * 200_000 + b"}",
        b'{"title": "Odd", "a": NaN}',
        b'{"title": "Odd", "a": "\xff\xfe"}',
        rb'{"title": "Od\ud800d", "a": nonsense}',
    ],
)
def test_one_conversation_that_is_no_json_is_named_and_the_rest_comes_in(alice: Any, bad: bytes) -> None:
    job = bring(alice, b"[" + bad + b"," + orjson.dumps(chatgpt()) + b"]")
    assert (job.status, job.origins.count(), job.skipped_count) == ("done", 1, 1)
    assert job.skipped[0]["title"].replace("\ufffd", "") == "Odd"
    assert job.skipped[0]["why"] == "It is broken: it is no valid JSON."


def test_a_conversation_that_would_fill_the_memory_is_named_and_the_rest_comes_in(
    alice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_CONVERSATION_PARTS", 1000)
    monkeypatch.setattr(files, "MAX_CONVERSATION_BYTES", 10_000)
    many = [{"title": "Many", "a": [[]] * 1000}, {"title": "Long", "a": "x" * 10_000}, chatgpt()]
    job = bring(alice, orjson.dumps(many))
    assert (job.status, job.origins.count()) == ("done", 1)
    why = "It is far larger than a conversation can be."
    assert job.skipped == [{"title": title, "why": why} for title in ("Many", "Long")]


def test_half_a_character_is_replaced_and_everything_else_stays(alice: Any) -> None:
    for number, said in enumerate(
        (rb"a\ud800b", rb"a\udc00b", rb"\ud83d\ude00 \\ud800 \ud83d", rb"\ud800\ud83d\ude00")
    ):
        one = orjson.dumps(chatgpt(f"c-{number}", "T")).replace(b"How big is an elephant?", said)
        assert bring(alice, b"[" + one.replace(b'"T"', rb'"T\udfff"') + b"]").origins.count() == 1
    first = [shown(one)[0] for one in Conversation.objects.order_by("origin__source")]
    assert first == ["a\ufffdb", "a\ufffdb", "😀 \\ud800 \ufffd", "\ufffd😀"]
    assert {one.title for one in Conversation.objects.all()} == {"T\ufffd"}


def test_the_content_of_a_file_goes_with_its_job_and_of_one_in_quarantine_after_a_week(
    page: Client, alice: Any, bob: Any
) -> None:
    stopped, gone_on = (importing.start(one, name="x", content=orjson.dumps([chatgpt()])) for one in (alice, bob))
    stopped.cancel()
    set_aside = Import.claim(gone_on.pk, 1)
    assert set_aside
    set_aside.close(Job.Status.QUARANTINED)
    importing.let_go()  # too early
    assert [bytes(one.content) != b"" for one in (reloaded(stopped), reloaded(set_aside))] == [False, True]
    page.force_login(bob)
    assert "Your administrator can try it again until" in page.get(reverse("transfer")).content.decode()
    Import.objects.filter(pk=set_aside.pk).update(finished_at=timezone.now() - Import.KEPT_SET_ASIDE)
    importing.let_go()
    assert (reloaded(set_aside).status, bytes(reloaded(set_aside).content)) == ("failed", b"")
    with pytest.raises(IntegrityError), transaction.atomic():
        Import.objects.filter(pk=set_aside.pk).update(content=b"personal")


BROKEN = {
    "cut off": orjson.dumps([chatgpt()])[:-3],
    "an open string": b'[{"title": "' + b'\\"' * 5_000_000,
    "deep": b"[" * 200_000,
    "no conversations": b'{"format": "switchyard"}',
    "an empty list": b"[]",
    "no zip": b"PK\x03\x04" + b"nonsense" * 100,
    "a zip without them": zipped(("readme.txt", b"hello")),
    "a bomb": zipped(("conversations.json", b" " * 60_000_000)),
    "many bombs": zipped(*((f"conversations-{n}.json", b'["%s"]' % (b"ab" * 400_000)) for n in range(300))),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_malicious_file_is_refused_in_words(alice: Any, kind: str) -> None:
    job = bring(alice, BROKEN[kind])
    assert (job.status, job.error_code) == ("failed", "bad_file")
    assert job.problem
    assert not Conversation.objects.exists()
    assert not bytes(job.content)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("photo.png", b"\x89PNG\r\n", "neither a JSON file nor a zip archive"),
        (EVIL, b"<html>", "neither a JSON file nor a zip archive"),
        ("conversations.json", b"", "neither a JSON file nor a zip archive"),
        ("large.json", b"[" + b" " * files.MAX_BYTES, "is too large: 50 MB, and a file can have 50 MB"),
    ],
)
def test_what_is_no_file_of_conversations_is_refused_at_once(
    page: Client, name: str, content: bytes, words: str
) -> None:
    response = page.post(reverse("import"), {"file": SimpleUploadedFile(name, content)})
    assert response.status_code == 400
    assert words in response.content.decode()
    assert "<img" not in response.content.decode()
    assert not Import.objects.exists()
    assert page.post(reverse("import")).status_code == 400


def test_a_person_imports_one_file_at_a_time(page: Client, alice: Any, bob: Any) -> None:
    content = orjson.dumps([chatgpt()])
    for status in (302, 409):
        upload = SimpleUploadedFile("conversations.json", content)
        assert page.post(reverse("import"), {"file": upload}).status_code == status
    assert importing.start(bob, name="x", content=content)
    assert "Being imported" in page.get(reverse("transfer")).content.decode()


def test_the_page_says_what_became_of_a_file(page: Client, alice: Any, bob: Any) -> None:
    bring(alice, orjson.dumps([chatgpt(), {"title": EVIL}]), name=EVIL)
    bring(bob, orjson.dumps([chatgpt()]), name="bob's")
    content = page.get(reverse("transfer")).content.decode()
    assert "1 conversation imported." in content
    assert "1 was skipped." in content
    assert "<img" not in content
    assert "bob&#x27;s" not in content


def test_an_attempt_that_broke_off_is_gone_on_with(alice: Any) -> None:
    job = importing.start(alice, name="x", content=orjson.dumps([chatgpt(), chatgpt("c-2")]))
    first = Import.claim(job.pk, 1)
    assert first
    assert first.retry()
    second = Import.claim(job.pk, 2)
    assert second
    importing._take(first, importing.read(chatgpt()))  # the first had come so far
    importing.run(second)
    second.refresh_from_db()
    assert (second.status, second.origins.count(), second.already_count) == (Job.Status.DONE, 2, 0)


@pytest.mark.processes
def test_a_worker_imports(workers: Process, page: Client, alice: Any) -> None:
    upload = SimpleUploadedFile("conversations.json", orjson.dumps([chatgpt()]))
    assert page.post(reverse("import"), {"file": upload})["Location"] == reverse("transfer")
    wait_until(lambda: Import.objects.get().status == "done", what="the import")
    assert "1 conversation imported." in page.get(reverse("transfer")).content.decode()


@pytest.mark.parametrize("view", ["conversation-markdown", "conversation-json"])
def test_what_is_not_ones_own_is_not_exported(page: Client, bob: Any, view: str) -> None:
    turn = rows.turn(bob, "Bob's question")
    assert page.get(reverse(view, args=[turn.conversation_id])).status_code == 404
    assert b"Bob" not in everything(page)


@pytest.mark.parametrize("view", ["transfer", "export-all", "import"])
def test_those_who_are_not_signed_in_are_asked_to(client: Client, db: None, view: str) -> None:
    assert client.post(reverse(view))["Location"].startswith(reverse("sign-in"))
