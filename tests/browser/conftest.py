"""A real browser, watched: a dialog, an error of a script or a request to another host fails the test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

from tests.browser.chromium import launch_chromium
from tests.conftest import Site

# Playwright keeps an event loop running in this thread, which Django takes for a coroutine.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
expect.set_options(timeout=30_000)  # a message may wait for a route, a worker and a stream on a busy machine

OpenPage = Callable[..., Page]  # the fixture `open_page`


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="package")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    browser = launch_chromium(playwright)
    yield browser
    browser.close()


class Watch:
    """What no page may ever do, collected over all pages of the contexts that it is put over."""

    def __init__(self, origin: str) -> None:
        self.offences: list[str] = []
        self._origin = urlsplit(origin).netloc
        self._watched = {
            "request": self._request,
            "dialog": self._dialog,
            "weberror": lambda error: self.offences.append(f"error: {error.error}"),
            "console": self._console,
        }

    @contextmanager
    def over(self, context: BrowserContext) -> Iterator[None]:
        for event, handler in self._watched.items():
            context.on(event, handler)  # type: ignore[call-overload]  # a name of an event at a time
        yield
        for event, handler in self._watched.items():
            context.remove_listener(event, handler)

    def _request(self, request: Any) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("http", "https", "ws", "wss") and address.netloc != self._origin:
            self.offences.append(f"request: {request.url}")

    def _dialog(self, dialog: Any) -> None:
        self.offences.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _console(self, message: Any) -> None:
        if message.type == "error" and "Content Security Policy" in message.text:
            self.offences.append(f"policy: {message.text}")


@pytest.fixture(scope="package")
def _kept_profile(chromium: Browser, _web: str) -> BrowserContext:
    """A browser profile that tests use in turn: what it has fetched of scripts and styles need not be fetched again."""
    return chromium.new_context(base_url=_web)


def _empty(context: BrowserContext, origin: str) -> None:
    """Close its pages, and forget what a site has stored in it."""
    last = context.new_page()
    for page in context.pages:
        if page != last:
            page.close()
    context.clear_cookies()
    kinds = "local_storage,indexeddb,cache_storage,service_workers"
    context.new_cdp_session(last).send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": kinds})
    last.close()


@pytest.fixture
def open_page(chromium: Browser, site: Site, _kept_profile: BrowserContext) -> Iterator[OpenPage]:
    """`open_page(user, **options)`: a page of a new browser profile in which `user` (None: nobody) is signed in."""
    watch = Watch(site.url)
    with ExitStack() as opened:

        def profile(**options: Any) -> BrowserContext:
            if not options and not _kept_profile.pages:
                opened.enter_context(watch.over(_kept_profile))
                opened.callback(_empty, _kept_profile, site.url)
                return _kept_profile
            context = chromium.new_context(base_url=site.url, **options)
            opened.enter_context(watch.over(context))
            opened.callback(context.close)
            return context

        def open_page(user: Any, **options: Any) -> Page:
            page = profile(**options).new_page()
            if user is not None:
                site.sign_in(page, user)
            return page

        yield open_page
    assert watch.offences == []


@pytest.fixture
def page(open_page: OpenPage, alice: Any) -> Page:
    """The empty chat, with Alice signed in and the socket open."""
    page = open_page(alice)
    page.goto("/")
    return page
