"""axe-core finds nothing in the composer, whatever stands in it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.backends.fake_provider import FakeProvider
from tests.browser.accessibility import faults
from tests.browser.steps import ask, finish
from tests.browser.test_files import payload
from tests.browser.test_writing import LONG, paste, typed
from tests.conftest import Connect

pytestmark = [pytest.mark.browser, pytest.mark.processes]


def test_the_composer_in_every_state(page: Page, connect: Connect, provider: FakeProvider) -> None:
    connect("gate-tokens2")
    typed(page).press_sequentially("/")
    expect(page.get_by_role("listbox")).to_be_visible()
    found = faults(page, "commands")
    page.keyboard.press("Escape")
    typed(page).fill("What is this?")
    paste(page, LONG)
    page.locator(".pasted-block summary").click()
    page.get_by_label("Attach files").set_input_files([payload("a.txt", b"Some words"), payload("b.exe", b"MZ")])
    expect(page.locator("#files [data-state=ready]")).to_have_count(1)
    found += faults(page, "files and a pasted text")
    reply = ask(page, "What is this?")
    typed(page).fill("And this?")
    page.keyboard.press("Enter")
    expect(page.locator("#waiting li")).to_have_count(1)
    found += faults(page, "a message that waits")
    provider.release()
    finish(reply)
    assert found == []
