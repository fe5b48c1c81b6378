"""axe-core finds nothing in what people do to messages and answers: arrows, forms in place, two beside each other."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import faults
from tests.browser.steps import ask, finish
from tests.conftest import Connect
from tests.pages import rows

pytestmark = [pytest.mark.browser, pytest.mark.processes]


def test_axe_finds_nothing(page: Page, alice: Any, connect: Connect) -> None:
    connect("echo", "tokens3")
    finish(ask(page, "One"))
    page.get_by_label("Edit this message").click()
    expect(page.get_by_label("Your message")).to_be_focused()
    found = faults(page, "a message that is edited")
    page.get_by_label("Your message").fill("Uno")
    page.keyboard.press("Enter")
    expect(page.locator(".user .among")).to_have_text("2/2")
    reply = finish(page.locator(".reply"))
    reply.get_by_label("Bad answer").click()
    expect(page.get_by_label("What was wrong?")).to_be_focused()
    found += faults(page, "a reason")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Say why")).to_be_visible()
    reply.locator(".reroute > summary").click()
    reply.get_by_role("button", name="Compare with tokens3").click()
    finish(page.locator(".reply").nth(1))
    found += faults(page, "two answers")
    turn = rows.turn(alice, "Label this", "", status="failed", error_code="no_labels", decided={"route": "classify"})
    page.goto(f"/c/{turn.conversation_id}/")
    found += faults(page, "a message without labels")
    page.goto(f"/messages/{turn.message_id}/edit/")
    found += faults(page, "the page for other words")
    assert found == []
