"""Files: chosen, dropped, pasted, refused, sent, shown."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Page, expect

from chatsite.documents.models import Attachment
from tests.browser.conftest import OpenPage
from tests.browser.steps import LETTER, answer, ask, finish, send
from tests.conftest import Connect
from tests.documents.files import pdf

pytestmark = [pytest.mark.browser, pytest.mark.processes]

NAME = "<img src=x onerror=alert(1)>.pdf"
LETTER_PDF = pdf(*(f"{sentence.strip(' .')}." for sentence in LETTER.split(". ")))


def payload(name: str, content: bytes) -> Any:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": content}


def hand_over(page: Page, event: str, name: str, content: str) -> None:
    """What the browser tells the page when somebody drops or pastes a file."""
    page.get_by_label("Message", exact=True).evaluate(
        """(box, [event, name, content]) => {
          const data = new DataTransfer();
          data.items.add(new File([content], name));
          const options = { bubbles: true, cancelable: true };
          if (event === "paste") box.dispatchEvent(new ClipboardEvent("paste", { ...options, clipboardData: data }));
          else box.dispatchEvent(new DragEvent(event, { ...options, dataTransfer: data }));
        }""",
        [event, name, content],
    )


def test_files_are_chosen_dropped_and_pasted_read_and_sent(page: Page) -> None:
    files = page.locator("#files .file")
    page.get_by_label("Attach files").set_input_files([payload(NAME, LETTER_PDF), payload("virus.exe", b"MZ")])
    hand_over(page, "dragenter", "b.md", "# Notes")
    expect(page.get_by_text("Drop files here")).to_be_visible()
    hand_over(page, "drop", "b.md", "# Notes")
    expect(page.get_by_text("Drop files here")).to_be_hidden()
    hand_over(page, "paste", "c.txt", "Some words")
    expect(files.locator(".file-name")).to_have_text([NAME, "virus.exe", "b.md", "c.txt"])
    expect(files.nth(0)).to_contain_text("6 pages")
    expect(files.nth(1)).to_contain_text("Files of this kind cannot be read.")
    expect(page.locator("#files [data-state=ready]")).to_have_count(3)
    files.nth(3).get_by_role("button").click()
    files.nth(2).get_by_role("button", name="Remove b.md").click()
    expect(files).to_have_count(2)
    page.reload()
    expect(files.locator(".file-name")).to_have_text([NAME])
    page.get_by_label("Message", exact=True).fill("Summarise this in one sentence")
    expect(page.locator("#preview")).to_have_text("Summary")
    reply = finish(send(page, "Summarise this in one sentence"))
    assert answer(reply).inner_text().strip(" .") in LETTER
    expect(files).to_have_count(0)
    sent = page.locator(".message.user .file")
    expect(sent.locator(".file-name")).to_have_text(NAME)
    page.reload()
    expect(sent).to_contain_text("6 pages")
    with page.expect_download() as download:
        sent.get_by_role("link").click()
    assert download.value.path().read_bytes() == LETTER_PDF
    assert Attachment.objects.get().name == NAME


def test_a_broken_file_is_named_and_a_file_alone_is_a_message(page: Page, connect: Connect) -> None:
    connect("tokens2")
    page.get_by_label("Attach files").set_input_files(
        [payload("broken.pdf", b"%PDF-1.4"), payload("a.txt", b"Some words")]
    )
    expect(page.locator("#files [data-state=failed]")).to_contain_text("It cannot be read: it is damaged")
    expect(page.locator("#files [data-state=ready]")).to_have_count(1)
    finish(ask(page, ""))
    expect(page.locator(".message.user .file-name")).to_have_text(["a.txt"])
    expect(page.locator("#files .file")).to_have_count(0)


def test_a_file_that_does_not_arrive_holds_the_message_back(page: Page) -> None:
    held: list[Any] = []
    page.route("**/files/", lambda route: held.append(route), times=1)
    page.get_by_label("Attach files").set_input_files([payload("a.txt", b"Some words")])
    page.get_by_label("Message", exact=True).fill("And this?")
    page.keyboard.press("Enter")
    expect(page.locator("#note")).not_to_be_empty()
    held[0].abort()
    expect(page.locator("#files [data-state=failed]")).to_be_visible()
    expect(page.locator("#note")).to_be_empty()
    expect(page.get_by_label("Message", exact=True)).to_have_value("And this?")
    expect(page.locator(".bubble")).to_have_count(0)


def test_an_upload_that_stands_still_is_given_up_and_said(page: Page) -> None:
    page.clock.install()
    page.route("**/files/", lambda route: None, times=1)
    page.get_by_label("Attach files").set_input_files([payload("a.txt", b"Some words")])
    expect(page.locator("#files progress")).to_be_visible()
    page.clock.fast_forward(61_000)
    expect(page.locator("#files .file-facts")).to_have_text("It could not be uploaded. Try again.")


def test_what_is_too_large_or_too_many_is_said_without_asking_and_limits_in_advance(page: Page) -> None:
    expect(page.locator("#size")).to_have_text("Up to 2 MB and 10 files of 10 MB.")
    large = payload("large.txt", b"x" * (settings.FILE_MAX_BYTES + 1))
    page.get_by_label("Attach files").set_input_files(
        [large, *(payload(f"{n}.txt", b"words %d" % n) for n in range(10))]
    )
    expect(page.locator("#files .file").first).to_contain_text("It is larger than 10 MB.")
    expect(page.locator("#files .file").last).to_contain_text("A message can have up to 10 files.")
    expect(page.locator("#files [data-state=ready]")).to_have_count(9)


def test_files_follow_the_draft_and_wait_with_a_message_that_waits(
    page: Page, open_page: OpenPage, alice: Any, connect: Connect, provider: Any
) -> None:
    connect("gate-tokens2")
    ask(page, "Hello")
    page.get_by_label("Attach files").set_input_files([payload("a.txt", b"Some words")])
    phone = open_page(alice)
    phone.goto(page.url)
    expect(phone.locator("#files .file-name")).to_have_text(["a.txt"])
    page.get_by_label("Message", exact=True).fill("And this?")
    page.keyboard.press("Enter")
    expect(page.locator("#waiting .waiting-text")).to_have_text("a.txt And this?")
    page.reload()
    expect(page.locator("#files .file")).to_have_count(0)
    page.locator("#waiting").get_by_role("button", name="Edit").click()
    expect(page.locator("#files .file-name")).to_have_text(["a.txt"])
    page.get_by_label("Message", exact=True).press("Enter")
    expect(page.locator("#waiting li")).to_have_count(1)
    provider.release()
    finish(page.locator(".reply").nth(1))
    expect(page.locator(".message.user").nth(1).locator(".file-name")).to_have_text("a.txt")
    expect(phone.locator("#files .file")).to_have_count(0)


def test_without_scripts_files_are_sent_with_the_form(open_page: OpenPage, alice: Any) -> None:
    page = open_page(alice, java_script_enabled=False)
    page.goto("/")
    page.get_by_label("Message", exact=True).fill("Summarise this in one sentence")
    page.get_by_label("Attach files").set_input_files([payload("letter.pdf", LETTER_PDF)])
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".message.user .file-name")).to_have_text("letter.pdf")
    expect(page.locator(".reply[data-status=done]")).to_be_visible()


def test_files_stay_with_their_conversation(page: Page, connect: Connect) -> None:
    connect("tokens2")
    finish(ask(page, "Hello"))
    page.get_by_label("Attach files").set_input_files([payload("a.txt", b"Some words")])
    expect(page.locator("#files [data-state=ready]")).to_have_count(1)
    page.get_by_role("link", name="New conversation").first.click()
    expect(page.locator(".message")).to_have_count(0)
    expect(page.locator("#files .file")).to_have_count(0)
    page.locator("#conversations a").first.click()
    expect(page.locator("#files .file-name")).to_have_text(["a.txt"])


def test_who_sends_from_a_tall_composer_is_at_the_end(page: Page, connect: Connect) -> None:
    connect("tokens400")
    finish(ask(page, "Hello"))
    page.get_by_label("Attach files").set_input_files([payload(f"{number}.txt", b"Some words") for number in range(6)])
    expect(page.locator("#files [data-state=ready]")).to_have_count(6)
    reply = send(page, "Summarise this in one sentence")
    expect(page.locator("#files .file")).to_have_count(0)
    expect(page.locator("#jump")).to_be_hidden()
    expect(finish(reply)).to_be_in_viewport()
    expect(page.locator("#jump")).to_be_hidden()
