"""A real browser, watched: a dialog, an error of a script or a request to another host fails the test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

from tests.browser.chromium import launch_chromium

# Playwright keeps an event loop running in this thread, which Django takes for a coroutine.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
expect.set_options(timeout=30_000)  # a message may wait for a route, a worker and a stream on a busy machine


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="package")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    browser = launch_chromium(playwright)
    yield browser
    browser.close()


@dataclass
class Watch:
    """What no page may ever do, collected over all its pages."""

    origin: str
    offences: list[str] = field(default_factory=list)

    def over(self, context: BrowserContext) -> None:
        context.on("request", self._request)
        context.on("dialog", self._dialog)
        context.on("weberror", lambda error: self.offences.append(f"error: {error.error}"))
        context.on("console", self._console)

    def _request(self, request: Any) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("http", "https", "ws", "wss") and address.netloc != urlsplit(self.origin).netloc:
            self.offences.append(f"request: {request.url}")

    def _dialog(self, dialog: Any) -> None:
        self.offences.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _console(self, message: Any) -> None:
        if message.type == "error" and "Content Security Policy" in message.text:
            self.offences.append(f"policy: {message.text}")


@pytest.fixture
def open_page(chromium: Browser, site: Any) -> Iterator[Callable[..., Page]]:
    """`open_page(user, **options)`: a page of a new browser profile in which `user` (None: nobody) is signed in."""
    watch = Watch(site.url)
    contexts = []

    def open_page(user: Any, **options: Any) -> Page:
        context = chromium.new_context(base_url=site.url, **options)
        contexts.append(context)
        watch.over(context)
        page = context.new_page()
        if user is not None:
            site.sign_in(page, user)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert watch.offences == []


@pytest.fixture
def page(open_page: Callable[..., Page], alice: Any) -> Page:
    """The empty chat, with Alice signed in and the socket open."""
    page = open_page(alice)
    page.goto("/")
    return page
