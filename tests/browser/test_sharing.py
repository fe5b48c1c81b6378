"""A conversation leaves its owner's hands: by a link that can be taken back, and as a file that comes back."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.steps import finish, send
from tests.conftest import Connect

pytestmark = [pytest.mark.browser, pytest.mark.processes]


def test_a_link_is_read_by_somebody_else_until_it_is_revoked(
    open_page: OpenPage, alice: Any, bob: Any, connect: Connect
) -> None:
    connect("echo")
    page, reader = open_page(alice), open_page(bob)
    page.goto("/")
    page.locator("#composer").get_by_text("Chat", exact=True).click()
    finish(send(page, 'A question <img src=x onerror="alert(1)">\n\n```python\nx = 1\n```'))
    page.get_by_label("Options of this conversation").click()
    page.get_by_role("link", name="Share…").click()
    page.get_by_role("button", name="Make a link").click()
    address = page.get_by_label("Link", exact=True).input_value()
    reader.goto(address)
    expect(reader.locator(".bubble")).to_contain_text("A question <img")
    expect(reader.locator(".reply .code span.n")).to_have_text("x")
    expect(reader.get_by_role("button", name="Copy", exact=True)).to_be_visible()
    expect(reader.locator("footer, form, .pencil")).to_have_count(0)
    page.get_by_role("button", name="Revoke the link").click()
    expect(page.get_by_role("button", name="Make a link")).to_be_visible()
    expect(reader.locator(".bubble")).to_contain_text("A question")  # what has been read stays read
    reader.reload()
    expect(reader.locator("h1")).not_to_contain_text("A question")
    expect(reader.locator(".bubble")).to_have_count(0)


def test_a_file_is_imported_while_one_looks_on(page: Page) -> None:
    message = {"author": {"role": "user"}, "content": {"content_type": "text", "parts": ["How big is a mouse?"]}}
    mapping = {"q": {"parent": None, "message": message}}
    conversation = {"id": "c-1", "title": '"><img src=x onerror=alert(1)>', "mapping": mapping}
    page.goto("/transfer/")
    file = {"name": "conversations.json", "mimeType": "application/json", "buffer": orjson.dumps([conversation, {}])}
    page.get_by_label("File, up to").set_input_files(file)  # type: ignore[arg-type]
    page.get_by_role("button", name="Import").click()
    expect(page.locator("#imports")).to_contain_text("1 conversation imported. 1 was skipped.")
    page.goto("/")
    page.locator("#conversations a").click()
    expect(page.locator(".bubble")).to_have_text("How big is a mouse?")
