"""The composer's helpers: drafts on other devices, commands, what was sent before, pasted texts."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from chatsite.chat.models import Message
from chatsite.writing.models import Draft
from tests.backends.fake_provider import FakeProvider
from tests.browser.conftest import OpenPage
from tests.browser.steps import ask, begin_anew, finish
from tests.browser.test_interruptions import DEADLINES, LET_TIME_PASS
from tests.conftest import Connect

pytestmark = [pytest.mark.browser, pytest.mark.processes]

LONG = "\n".join(f"Line {number} of what was pasted, <b>as it is</b>." for number in range(60))


@pytest.fixture(autouse=True)
def _answers(connect: Connect) -> None:
    connect("tokens2")


def typed(page: Page) -> Any:
    return page.get_by_label("Message", exact=True)


def paste(page: Page, text: str) -> None:
    """What the browser tells a text box when somebody pastes."""
    typed(page).evaluate(
        """(box, text) => {
          const clipboardData = new DataTransfer();
          clipboardData.setData("text/plain", text);
          box.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
        }""",
        text,
    )


def test_a_draft_is_on_the_persons_other_devices_at_once_and_after_sending_on_none(
    page: Page, open_page: OpenPage, alice: Any
) -> None:
    finish(ask(page, "Hello"))
    phone = open_page(alice)
    phone.goto(page.url)
    typed(page).fill("half a thought")
    expect(typed(phone)).to_have_value("half a thought")
    typed(phone).press_sequentially(" more")
    expect(typed(page)).to_have_value("half a thought more")
    page.reload()
    expect(typed(page)).to_have_value("half a thought more")
    finish(ask(page, "half a thought more"))
    expect(typed(phone)).to_have_value("")
    expect(phone.locator(".bubble")).to_have_count(2)
    page.reload()
    expect(typed(page)).to_have_value("")


def test_what_is_typed_without_a_connection_is_kept_and_is_the_newer_one(page: Page) -> None:
    with page.expect_response("**/draft/"):
        typed(page).press_sequentially(" it")
    page.route("**/draft/**", lambda route: route.abort())
    with page.expect_event("requestfailed"):
        typed(page).fill("typed on a train")
    Draft.objects.update(text="from elsewhere", revision=9)
    page.unroute("**/draft/**")
    page.reload()
    expect(typed(page)).to_have_value("typed on a train")


def test_a_draft_that_is_lost_on_its_way_holds_up_no_later_one(open_page: OpenPage, alice: Any) -> None:
    page, held = open_page(alice), list[Any]()
    page.add_init_script(f"({DEADLINES})()")
    page.route("**/draft/", lambda route: route.continue_() if held else held.append(route))
    page.goto("/")
    with page.expect_request("**/draft/"):
        typed(page).fill("half")
    typed(page).fill("half a thought")
    with page.expect_response("**/draft/"):
        page.evaluate(LET_TIME_PASS)
    assert Draft.objects.get().text == "half a thought"


def test_commands_are_completed_by_keys(page: Page) -> None:
    box, listed = typed(page), page.get_by_role("listbox", name="Commands")
    box.press_sequentially("/")
    expect(listed.get_by_role("option")).to_contain_text(
        ["/summarise", "/classify", "/generate", "/new", "/search", "/help"]
    )
    expect(box).to_have_attribute("aria-activedescendant", "command-summarise")
    page.keyboard.press("ArrowDown")
    expect(box).to_have_attribute("aria-activedescendant", "command-classify")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(listed.get_by_role("option", name="/help")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Escape")
    expect(listed).to_be_hidden()
    expect(box).to_have_value("/")
    page.keyboard.type("GE")
    expect(listed.get_by_role("option")).to_have_count(1)
    page.keyboard.press("Tab")
    expect(box).to_have_value("/generate ")
    expect(listed).to_be_hidden()
    page.keyboard.type("Hello")
    page.keyboard.press("Enter")
    finish(page.locator(".reply"))
    assert Message.objects.get(role="user").text == "/generate Hello"
    box.press_sequentially("/n")
    listed.get_by_role("option", name="/new").click()
    page.wait_for_url("**/")
    expect(typed(page)).to_have_value("")
    expect(page.locator(".bubble")).to_have_count(0)


def test_arrow_keys_bring_back_what_was_sent_and_what_was_being_typed(page: Page) -> None:
    finish(ask(page, "in another conversation"))
    begin_anew(page)
    page.wait_for_load_state()
    finish(ask(page, "one\ntwo"))
    finish(ask(page, "last"))
    box = typed(page)
    for expected in ("last", "one\ntwo", "in another conversation", "in another conversation"):
        box.press("ArrowUp")
        expect(box).to_have_value(expected)
    for expected in ("one\ntwo", "last", ""):
        box.press("ArrowDown")
        expect(box).to_have_value(expected)
    box.fill("being typed")
    box.press("ArrowUp")
    expect(box).to_have_value("being typed")
    box.press("Home")
    box.press("ArrowUp")
    expect(box).to_have_value("last")
    box.press("ArrowDown")
    expect(box).to_have_value("being typed")


def test_a_long_paste_is_a_block_that_can_be_read_changed_and_removed(page: Page) -> None:
    typed(page).fill("What is this about?")
    paste(page, "short")
    paste(page, LONG)
    paste(page, "x" * 3000)
    expect(typed(page)).to_have_value("What is this about?")
    blocks = page.locator(".pasted-block")
    expect(blocks.locator("summary")).to_have_text(["Pasted text, 60 lines", "Pasted text, 3,000 characters"])
    blocks.nth(1).get_by_role("button", name="Remove the pasted text").click()
    blocks.locator("summary").click()
    blocks.get_by_role("textbox", name="Pasted text").fill(f"First line.\n{LONG}")
    expect(blocks.locator("summary")).to_have_text("Pasted text, 61 lines")
    with page.expect_response("**/draft/"):
        blocks.get_by_role("textbox", name="Pasted text").press("End")
        page.keyboard.type(" ")
    page.reload()
    expect(blocks.locator("summary")).to_have_text("Pasted text, 61 lines")
    finish(ask(page, "What is this about?"))
    expect(blocks).to_have_count(0)
    assert Message.objects.get(role="user").text == f"What is this about?\n\nFirst line.\n{LONG}"
    bubble = page.locator(".bubble")
    expect(bubble).not_to_contain_text("Line 59", use_inner_text=True)
    bubble.get_by_text("Show all").click()
    expect(bubble).to_contain_text("Line 59 of what was pasted, <b>as it is</b>.", use_inner_text=True)


def test_a_browser_that_keeps_nothing_loses_nothing_of_what_is_being_written(
    page: Page, connect: Connect, provider: FakeProvider
) -> None:
    connect("gate-tokens2")
    page.add_init_script("Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); }")
    page.reload()
    page.wait_for_load_state()
    first = ask(page, "First")
    typed(page).fill("Second")
    page.keyboard.press("Enter")
    expect(page.locator("#waiting li")).to_have_count(1)
    with page.expect_response(lambda response: "Third" in (response.request.post_data or "")):
        typed(page).fill("Third")
    provider.release()
    finish(first)
    finish(page.locator(".reply").nth(1))
    expect(typed(page)).to_have_value("Third")
    page.reload()
    expect(typed(page)).to_have_value("Third")
