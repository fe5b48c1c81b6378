"""Everything by keyboard: shortcuts as they are listed, and a focus that can be seen wherever it is."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from chatsite.chat.shortcuts import SHORTCUTS
from tests.backends.fake_provider import FakeProvider
from tests.browser.steps import LETTER, answer, ask, finish, send
from tests.conftest import Connect

pytestmark = [pytest.mark.browser, pytest.mark.processes]


# What has the focus: whether it shows that, and whether something lies over its middle.
FOCUSED = """() => {
    const element = document.activeElement, shown = element.closest("label, .box") ?? element;
    const outlines = [element, shown, element.nextElementSibling].filter(Boolean).map((each) => getComputedStyle(each));
    const { left, top, width, height } = shown.getBoundingClientRect();
    const above = document.elementFromPoint(left + width / 2, top + height / 2);
    return {
        tag: element.tagName,
        name: (element.ariaLabel || element.innerText || element.id).trim().slice(0, 60),
        isShown: outlines.some(({ outlineStyle, outlineWidth }) => outlineStyle !== "none" && outlineWidth !== "0px"),
        isOnTop: Boolean(above) && (shown.contains(above) || above.contains(shown)),
    };
}"""


def test_the_keys_do_what_the_list_says(page: Page, connect: Connect, provider: FakeProvider) -> None:
    connect("gate2-tokens8")
    composer = page.get_by_label("Message", exact=True)
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    page.keyboard.press("Control+/")
    expect(dialog.get_by_role("row")).to_have_count(len(SHORTCUTS))
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.get_by_role("link", name="Keyboard shortcuts").click()
    expect(dialog).to_be_visible()
    page.keyboard.press("Control+/")
    expect(dialog).to_be_hidden()
    reply = ask(page, "Count please")
    expect(answer(reply)).to_have_text("t0 t1")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("dialog", name=re.compile("Search"))).to_be_visible()
    page.keyboard.press("Escape")  # this one is for the dialog
    expect(reply).to_have_attribute("data-status", re.compile("queued|running"))
    page.keyboard.press("Escape")
    finish(reply, "cancelled")
    provider.release()
    page.locator("body").press("Tab")
    page.keyboard.press("Shift+Escape")
    expect(composer).to_be_focused()
    page.keyboard.press("Alt+2")
    expect(page.locator("#composer [name=route]").nth(2)).to_be_checked()
    page.keyboard.press("Alt+0")
    expect(page.locator("#composer [name=route]").nth(0)).to_be_checked()
    page.keyboard.press("Control+Shift+O")
    expect(page.get_by_role("heading", name="What can I do for you?")).to_be_visible()


def test_the_list_is_a_page_too(page: Page) -> None:
    page.goto("/shortcuts/")
    for shortcut in SHORTCUTS:
        expect(page.get_by_role("rowheader", name=str(shortcut.words), exact=True)).to_be_visible()


def test_wherever_the_focus_is_it_can_be_seen(page: Page) -> None:
    reply = finish(send(page, f"Summarise this in one sentence:\n\n{LETTER}"))
    reply.get_by_text("Why?").click()
    page.get_by_role("link", name="Skip to the message box").focus()
    hidden, reached = [], set()
    for _ in range(60):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused["tag"] == "BODY":
            break
        reached.add(focused["name"])
        if not (focused["isShown"] and focused["isOnTop"]):
            hidden.append(focused)
    assert hidden == []
    assert {"New conversation", "Language", "Sign out", "Copy the answer", "text"} <= reached
