"""The quick search in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.steps import begin_anew, finish, send
from tests.conftest import Connect

pytestmark = [pytest.mark.browser, pytest.mark.processes]


def test_what_was_said_is_found_by_keys_alone(page: Page, connect: Connect) -> None:
    connect("echo")
    page.locator("#composer").get_by_text("Chat", exact=True).click()
    finish(send(page, 'The crêpe <img src=x onerror="alert(1)"> harbour'))
    begin_anew(page)
    page.get_by_label("Message", exact=True).fill("Half a thought")
    page.keyboard.press("Control+k")
    dialog = page.get_by_role("dialog", name="Search")
    page.keyboard.type("crepe harb")
    expect(dialog.locator("mark").nth(1)).to_have_text("harbour")
    expect(dialog.get_by_role("status")).to_have_text("3 places")
    page.keyboard.press("Control+a")
    page.keyboard.type("nothing of this")
    expect(dialog.get_by_role("status")).to_have_text("Nothing has “nothing of this”.")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.keyboard.press("Control+k")
    page.keyboard.type("crepe harb")
    expect(dialog.locator(".hits a")).to_have_count(3)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".message:target")).to_be_in_viewport()
    begin_anew(page)
    expect(page.get_by_label("Message", exact=True)).to_have_value("Half a thought")
