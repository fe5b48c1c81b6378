"""Rating an answer, as people do it."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.steps import ask, finish
from tests.conftest import Connect

pytestmark = [pytest.mark.browser, pytest.mark.processes]


def test_an_answer_is_rated_with_a_reason_in_every_tab_and_taken_back(
    page: Page, open_page: OpenPage, alice: Any, connect: Connect
) -> None:
    connect("echo")
    finish(ask(page, "One"))
    other = open_page(alice, java_script_enabled=False)
    page.get_by_label("Bad answer").focus()
    page.keyboard.press("Enter")
    reason = page.get_by_label("What was wrong?")
    expect(reason).to_be_focused()
    page.keyboard.press("Escape")
    expect(reason).to_have_count(0)
    expect(page.get_by_role("link", name="Say why")).to_be_focused()
    page.keyboard.press("Enter")
    reason.fill("<i>Too short</i>")
    page.keyboard.press("Enter")
    expect(page.locator(".rated q")).to_have_text("<i>Too short</i>")
    expect(page.get_by_label("Bad answer")).to_have_attribute("aria-pressed", "true")
    other.goto(page.url)
    expect(other.get_by_label("Bad answer")).to_have_attribute("aria-pressed", "true")
    other.get_by_label("Good answer").click()
    expect(page.get_by_label("Good answer")).to_have_attribute("aria-pressed", "true")
    other.get_by_role("link", name="Say why").click()
    other.get_by_label("What was good?").fill("To the point")
    other.get_by_role("button", name="Save").click()
    expect(page.locator(".rated q")).to_have_text("To the point")
    page.get_by_label("Good answer").click()
    expect(page.locator(".rated")).to_be_empty()
    page.reload()
    expect(page.get_by_label("Good answer")).to_have_attribute("aria-pressed", "false")
