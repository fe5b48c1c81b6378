"""What a page costs whoever opens it: few requests, few bytes, and none of them to anybody else."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, Response, expect

from tests.pages import rows

pytestmark = [pytest.mark.browser, pytest.mark.processes]

AT_ONCE = "() => [...document.head.querySelectorAll('[rel=modulepreload], script')].map((one) => one.href || one.src)"


class Traffic:
    """The answers that a page got, with their bodies as they are before anything compresses them."""

    def __init__(self, page: Page) -> None:
        self._responses: list[Response] = []
        page.on("response", lambda response: self._responses.append(response))

    def sizes(self) -> dict[str, int]:
        """In bytes, by address."""
        return {response.url: len(response.body()) for response in self._responses}


def test_a_first_page_is_light(page: Page, alice: Any) -> None:
    for address in ("/", f"/c/{rows.long_conversation(alice, 500).pk}/"):
        fresh = page.context.new_page()
        fresh.context.new_cdp_session(fresh).send("Network.setCacheDisabled", {"cacheDisabled": True})
        traffic = Traffic(fresh)
        fresh.goto(address, wait_until="networkidle")
        sizes = traffic.sizes()
        assert len(sizes) < 40, sorted(sizes)
        modules = {url for url in sizes if url.endswith(".js")}
        at_once = set(fresh.evaluate(AT_ONCE))
        assert modules == at_once  # none is found late, and none is fetched in vain
        pages = {url: size for url, size in sizes.items() if "/static/" not in url}
        assert sum(pages.values()) < 250_000, pages
        # Production compresses them to less than a third.
        assert sum(sizes.values()) - sum(pages.values()) < 300_000


def test_another_conversation_costs_its_page_alone(page: Page, alice: Any) -> None:
    one, two = (rows.turn(alice, text) for text in ("First question", "Second question"))
    page.goto(f"/c/{one.conversation_id}/", wait_until="networkidle")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.partition("/c/")[2] or request.url))
    page.locator("#conversations").get_by_role("link", name="Second question").click()
    expect(page.locator("#title")).to_have_text("Second question")
    # Pictures come from the cache.
    assert [url for url in asked if "/static/icons/" not in url] == [f"{two.conversation_id}/"]
