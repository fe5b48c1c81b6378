"""More than one may ask for at once: where a message stands, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.backends.fake_provider import FakeProvider
from tests.browser.steps import ask, finish

pytestmark = [pytest.mark.browser, pytest.mark.processes]


def test_a_message_too_many_is_refused_and_its_draft_kept(
    page: Page, provider: FakeProvider, connect: Callable[..., Any]
) -> None:
    connect("gate-tokens2")
    replies = [ask(page, f"Question {number}") for number in range(7)]
    expect(replies[4].locator(".place")).to_contain_text("in line")
    draft = page.get_by_label("Message", exact=True)
    draft.fill("One more")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("7 of your answers are still on their way. Try again in about")
    expect(draft).to_have_value("One more")
    expect(draft).to_be_editable()
    provider.release()
    for reply in replies:
        finish(reply)
    page.keyboard.press("Enter")
    finish(page.locator(".reply").nth(7))
    expect(draft).to_have_value("")
