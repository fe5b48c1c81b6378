"""Files come in: which, how many, whose, and where they go in the end."""

from __future__ import annotations

import threading
import unicodedata
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from chatsite.chat import conversations, turns
from chatsite.chat.models import Conversation, Message
from chatsite.chat.refusals import RefusedError
from chatsite.documents import attachments, sweeping
from chatsite.documents.models import Attachment, Content
from tests.documents.files import docx, pdf
from tests.pages import rows
from tests.processes import pretended_worker
from workers import broker, presence
from workers.connections import client as redis_client
from workers.jobs import Job


def file(name: str, content: bytes = b"Some words.") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def upload(client: Client, name: str, content: bytes = b"Some words.", **fields: Any) -> Any:
    return client.post("/files/", {"file": file(name, content), **fields})


def added(user: Any, name: str = "a.txt", content: bytes = b"Some words.", **fields: Any) -> Attachment:
    """A file as it is when it was read."""
    attachment = attachments.add(user, file(name, content), **fields)
    done = {"status": Job.Status.DONE, "text": content.decode("latin-1"), "finished_at": timezone.now()}
    Attachment.objects.filter(pk=attachment.pk).update(**done)
    attachment.refresh_from_db()
    return attachment


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("notes.TXT", b"x", "text"),
        ("app.py", b"print()", "text"),
        ("a.md", b"# x", "markdown"),
        ("a.csv", b"a,b", "csv"),
        ("a.htm", b"<p>x", "html"),
        ("a.pdf", pdf("x"), "pdf"),
        ("a.docx", docx("x"), "docx"),
        ("wide.txt", "weit".encode("utf-16"), "text"),
    ],
)
def test_a_file_is_kept_in_the_draft_and_waits_to_be_read(
    client: Client, alice: Any, name: str, content: bytes, kind: str, django_capture_on_commit_callbacks: Any
) -> None:
    client.force_login(alice)
    redis_client().delete(presence.INDEX)
    with django_capture_on_commit_callbacks(execute=True):
        response = upload(client, name, content)
    assert response.status_code == 201
    assert broker.depth("files") == 1
    assert 'data-state="reading"' in response.json()["html"]
    assert "No worker reads files yet" in response.json()["html"]
    kept = Attachment.objects.get()
    with pretended_worker(queues=[kept.queue]):
        assert "Reading…" in client.get(f"/files/{kept.pk}/").json()["html"]
    assert (kept.kind, kept.size, kept.status, kept.queue) == (kind, len(content), "queued", "files")
    assert bytes(kept.content.data) == content
    assert name in client.get("/").content.decode()
    assert name in client.get("/draft/").json()["files"]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.exe", b"MZ", "Files of this kind cannot be read."),
        ("picture.png", b"\x89PNG", "Files of this kind cannot be read."),
        ("drawing.svg", b"<svg/>", "Files of this kind cannot be read."),
        ("archive.zip", b"PK\x03\x04", "Files of this kind cannot be read."),
        ("noending", b"x", "Files of this kind cannot be read."),
        ("a.pdf", b"<html>", "not what its name says"),
        ("a.docx", b"%PDF-1.4", "not what its name says"),
        ("a.txt", b"%PDF-1.4", "not what its name says"),
        ("a.html", b"PK\x03\x04<script>", "not what its name says"),
        ("a.csv", b"a,\0b", "not what its name says"),
        ("a.txt", b"", "nothing in this file"),
    ],
)
def test_a_wrong_file_is_refused_with_the_reason(
    client: Client, alice: Any, name: str, content: bytes, reason: str
) -> None:
    client.force_login(alice)
    response = upload(client, name, content)
    assert response.status_code == 400
    assert reason in response.json()["error"]
    assert not Attachment.objects.exists()


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("/etc/cron.d/x.txt", "x.txt"),
        ("C:\\Users\\me\\x.txt", "x.txt"),
        ("%252e%252e%252fx.txt", "%252e%252e%252fx.txt"),
        ("in\u202etxt.fdp.txt", "intxt.fdp.txt"),
        ("a\x01b\x7f\u200bc.txt", "abc.txt"),
        ("x" * 300 + ".txt", "x" * 115 + "….txt"),
        ('"><img src=x onerror=alert(1)>.txt', '"><img src=x onerror=alert(1)>.txt'),
        (unicodedata.normalize("NFD", "한국어 é.txt"), "한국어 é.txt"),
    ],
)
def test_a_name_is_only_a_name(alice: Any, name: str, kept: str) -> None:
    uploaded = file("x.txt")
    uploaded.__dict__["_name"] = name  # as it was sent, before Django cuts it
    assert attachments.add(alice, uploaded).name == kept


def test_a_name_is_text_wherever_it_is_shown(client: Client, alice: Any, defaults: None) -> None:
    client.force_login(alice)
    attachment = added(alice, '"><img src=x onerror=alert(1)>.txt')
    assert "<img src=x" not in client.get("/").content.decode()
    turn = turns.submit(alice, text="", files=[str(attachment.pk)])
    page = client.get(f"/c/{turn.conversation_id}/").content.decode()
    assert "&lt;img src=x onerror=alert(1)&gt;.txt" in page
    assert "<img src=x" not in page


def test_what_is_too_large_or_too_much_is_refused(client: Client, alice: Any, settings: Any) -> None:
    settings.FILE_MAX_BYTES, settings.FILES_PER_MESSAGE, settings.FILES_PER_PERSON_BYTES = 1000, 2, 1500
    client.force_login(alice)
    assert "1 bytes over the limit" in upload(client, "large.txt", b"x" * 1001).json()["error"]
    assert upload(client, "a.txt", b"a" * 900).status_code == 201
    assert upload(client, "a.txt", b"a" * 900).status_code == 201  # the same one
    assert "All your files together" in upload(client, "b.txt", b"b" * 900).json()["error"]
    assert upload(client, "c.txt", b"c").status_code == 201
    assert "up to 2 files" in upload(client, "d.txt", b"d").json()["error"]
    assert Attachment.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_many_at_once_do_not_exceed_what_one_person_may_have(alice: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(settings, "FILES_PER_PERSON_BYTES", 1000)
    monkeypatch.setattr(settings, "FILES_PER_MESSAGE", 50)

    def add(number: int) -> None:
        attachments.add(alice, file(f"{number}.txt", f"{number:0100}".encode()))

    assert refused_at_once(add, 50) == ["files_full"] * 40
    assert Attachment.objects.count() == 10


@pytest.mark.django_db(transaction=True)
def test_nor_do_copies_of_a_message_with_files(alice: Any, defaults: None, monkeypatch: Any) -> None:
    turn = turns.submit(alice, text="Once", files=[str(added(alice, "a.txt", b"a" * 400).pk)])
    monkeypatch.setattr(settings, "FILES_PER_PERSON_BYTES", 1000)

    def copy(number: int) -> None:
        turns.edit(alice, message_id=turn.message_id, text=f"Again {number}")

    assert refused_at_once(copy, 5) == ["files_full"] * 4
    assert Attachment.objects.count() == 2


def refused_at_once(ask: Callable[[int], None], count: int) -> list[str]:
    """Ask so many times at the same moment; the codes of those that are refused."""
    codes: list[str] = []

    def try_it(number: int) -> None:
        try:
            ask(number)
        except RefusedError as error:
            codes.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=try_it, args=[number]) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return codes


def test_files_of_others_do_not_exist(client: Client, alice: Any, bob: Any, defaults: None) -> None:
    attachment = added(alice)
    where = rows.turn(alice).conversation
    client.force_login(bob)
    for path in ("", "file/"):
        assert client.get(f"/files/{attachment.pk}/{path}").status_code == 404
    assert client.post(f"/files/{attachment.pk}/remove/").status_code == 404
    assert upload(client, "a.txt", conversation=where.pk).status_code == 404
    with pytest.raises(RefusedError) as refused:
        turns.submit(bob, text="What does it say?", files=[str(attachment.pk)])
    assert refused.value.code == "file_gone"
    client.logout()
    assert client.get(f"/files/{attachment.pk}/file/").status_code == 302
    assert upload(client, "a.txt").status_code == 302
    assert Client(enforce_csrf_checks=True).post("/files/", {"file": file("a.txt")}).status_code == 403
    assert Attachment.objects.count() == 1


def test_a_file_is_saved_and_never_shown(client: Client, alice: Any) -> None:
    page = b"<script>alert(1)</script>"
    attachment = added(alice, 'ev"il\u00fc.html', page)
    client.force_login(alice)
    response = client.get(f"/files/{attachment.pk}/file/")
    assert response.content == page
    assert response["Content-Type"] == "application/octet-stream"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Disposition"].startswith("attachment; filename*=utf-8''")
    assert "no-cache" in response["Cache-Control"]


def test_a_message_takes_its_files_along_once(alice: Any, defaults: None) -> None:
    first, second = added(alice), added(alice, "b.txt", b"Other words.")
    turn = turns.submit(alice, text="", files=[str(first.pk), str(second.pk)], client_id=uuid.UUID(int=1))
    assert turn.message.attachment_count == 2
    assert turn.conversation.title == "a.txt, b.txt"
    assert {file.message_id for file in Attachment.objects.all()} == {turn.message_id}
    again = turns.submit(alice, text="", files=[str(first.pk), str(second.pk)], client_id=uuid.UUID(int=1))
    assert again == turn
    with pytest.raises(RefusedError) as refused:
        turns.submit(alice, text="Once more", files=[str(first.pk)])
    assert refused.value.code == "file_gone"
    assert Message.objects.filter(role="user").count() == 1


def test_a_message_in_other_words_has_the_same_files(client: Client, alice: Any, defaults: None) -> None:
    turn = turns.submit(alice, text="Summarise this", files=[str(added(alice).pk)])
    edited = turns.edit(alice, message_id=turn.message_id, text="")
    assert turn.conversation.title == "Summarise this · a.txt"
    first, second = Attachment.objects.order_by("message__created_at")
    assert (first.message, second.message) == (turn.message, edited.message)
    assert (second.name, second.text, bytes(second.content.data)) == (first.name, first.text, bytes(first.content.data))
    client.force_login(alice)
    assert f"/files/{second.pk}/file/" in client.get(f"/c/{turn.conversation_id}/").content.decode()


def test_nothing_is_no_message_whatever_could_not_be_read(alice: Any, defaults: None, settings: Any) -> None:
    broken = attachments.add(alice, file("a.txt"))
    Attachment.objects.update(status="failed", error_code="file_broken", finished_at=timezone.now())
    for files, code in (([str(broken.pk)], "unreadable_files"), ([], "empty"), (["nonsense"] * 11, "too_many_files")):
        with pytest.raises(RefusedError) as refused:
            turns.submit(alice, text=" ", files=files)
        assert refused.value.code == code
    assert not Conversation.objects.exists()
    turn = turns.submit(alice, text="Without it, then", files=[str(broken.pk)])
    assert turn.message.attachment_count == 0


def test_a_file_goes_when_it_is_removed_and_with_its_conversation(client: Client, alice: Any, defaults: None) -> None:
    client.force_login(alice)
    unwanted, sent = added(alice), added(alice, "b.txt", b"Other words.")
    assert client.post(f"/files/{unwanted.pk}/remove/").status_code == 204
    assert Content.objects.count() == 1
    turn = turns.submit(alice, text="Hello", files=[str(sent.pk)])
    assert client.post(f"/files/{sent.pk}/remove/").status_code == 404
    conversations.delete(alice, conversation_id=turn.conversation_id)
    assert client.get(f"/files/{sent.pk}/file/").status_code == 404
    Conversation.objects.all().delete()
    assert not Attachment.objects.exists()
    assert not Content.objects.exists()


def test_what_nobody_sends_goes_after_a_day(alice: Any, defaults: None) -> None:
    sent, old, new = (added(alice, f"{name}.txt", name.encode()) for name in ("sent", "old", "new"))
    turns.submit(alice, text="Hello", files=[str(sent.pk)])
    Attachment.objects.exclude(pk=new.pk).update(created_at=timezone.now() - timedelta(hours=25))
    sweeping.delete_unsent()
    assert set(Attachment.objects.values_list("name", flat=True)) == {"sent.txt", "new.txt"}
    assert Content.objects.count() == 2
    assert old.name == "old.txt"


@pytest.mark.django_db(transaction=True)
def test_what_is_being_sent_when_its_day_is_over_stays(alice: Any, defaults: None) -> None:
    old = added(alice, "old.txt", b"old")
    Attachment.objects.update(created_at=timezone.now() - timedelta(hours=25))
    begins = threading.Event()

    def sweep() -> None:
        def note(execute: Any, sql: str, *others: Any) -> Any:
            if sql.startswith("BEGIN"):
                begins.set()
            return execute(sql, *others)

        with connection.execute_wrapper(note):
            sweeping.delete_unsent()
        connection.close()

    thread = threading.Thread(target=sweep)
    with transaction.atomic():
        turns.submit(alice, text="Hello", files=[str(old.pk)])
        thread.start()
        begins.wait(10)
    thread.join()
    assert Attachment.objects.get().message_id


def test_without_scripts_a_message_and_its_files_are_one_form(client: Client, alice: Any, defaults: None) -> None:
    client.force_login(alice)
    good, bad = file("good.txt"), file("bad.exe")
    refused = client.post("/", {"text": "Summarise this", "new_files": [good, bad]})
    page = refused.content.decode()
    assert refused.status_code == 400
    assert "bad.exe: Files of this kind cannot be read." in page
    assert "Summarise this</textarea>" in page
    kept = Attachment.objects.get()
    assert f'name="files" value="{kept.pk}"' in page
    client.post(f"/files/{kept.pk}/remove/", {"text": "Summarise this", "files": kept.pk})
    assert "Summarise this</textarea>" in client.get("/").content.decode()
    sent = client.post("/", {"text": "Summarise this", "new_files": [file("good.txt")]})
    assert sent.status_code == 302
    assert Attachment.objects.get().message == Message.objects.get(role="user")
