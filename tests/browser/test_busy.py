"""More than one may ask for at once: where a message stands, and what is refused."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.backends.fake_provider import FakeProvider
from tests.browser.steps import ask, finish
from tests.conftest import Connect
from tests.processes import wait_until
from workers.models import Completion

pytestmark = [pytest.mark.browser, pytest.mark.processes]


def test_a_message_too_many_is_refused_and_its_draft_kept(page: Page, provider: FakeProvider, connect: Connect) -> None:
    connect("gate-tokens2")
    for number in range(7):  # within one conversation a message waits for the answer before
        page.goto("/")
        reply = ask(page, f"Question {number}")
    expect(reply.locator(".place")).to_contain_text("in line")
    page.goto("/")
    draft = page.get_by_label("Message", exact=True)
    draft.fill("One more")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("7 of your answers are still on their way. Try again in about")
    expect(draft).to_have_value("One more")
    expect(draft).to_be_editable()
    provider.release()
    wait_until(lambda: not Completion.all_open().exists())
    page.keyboard.press("Enter")
    finish(page.locator(".reply"))
    expect(draft).to_have_value("")
