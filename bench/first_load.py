"""How much a page weighs, and how soon one can type and read: `python -m bench.first_load [--rounds 10]`.

Production's settings, real processes, the distribution's Chromium. A page is usable when its scripts have run. Cold is
a browser that has never been there, warm one that has: static files come from its cache. Bytes are those
that travel, headers included, compressed as they are.
"""

from __future__ import annotations

import os

from bench import production  # noqa: F401  (must come first)

os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # Playwright's loop runs in this thread

import argparse
from collections.abc import Callable
from typing import Any

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402

from bench.measuring import percentiles  # noqa: E402
from tests import processes  # noqa: E402
from tests.browser.chromium import launch_chromium  # noqa: E402
from tests.pages import rows  # noqa: E402
from tests.sessions import session_of  # noqa: E402

TURNS = 500
URL = f"http://127.0.0.1:{settings.PORT}"
USABLE = "() => performance.getEntriesByName('usable')[0]?.startTime"
SWITCH = """(href) => new Promise((done) => {
  const thread = document.getElementById("thread");
  const began = performance.now();
  const watch = new MutationObserver(() => {
    watch.disconnect();
    requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)));
  });
  watch.observe(thread, { attributeFilter: ["data-conversation"] });
  document.querySelector(`#conversations a[href="${href}"]`).click();
})"""


class Load:
    """What one page has asked the site for; what comes from the browser's cache does not count."""

    def __init__(self, page: Page) -> None:
        self.requests = 0
        self.bytes = 0
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.responseReceived", self._answered)
        session.on("Network.loadingFinished", self._finished)

    def _answered(self, event: Any) -> None:
        self.requests += not event["response"].get("fromDiskCache", False)

    def _finished(self, event: Any) -> None:
        self.bytes += int(event["encodedDataLength"])


def open_page(browser: Browser, session: str) -> Page:
    """A page of a browser that has never been there."""
    context = browser.new_context()
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": URL}])
    return context.new_page()


def load(page: Page, path: str) -> tuple[Load, float]:
    """Open a page; gives what it asked for, and the milliseconds until it was usable."""
    loaded = Load(page)
    page.goto(URL + path, wait_until="networkidle")
    return loaded, float(page.evaluate(USABLE))


def report(name: str, requests: int, size: int, times: list[float]) -> None:
    figures = percentiles(times)
    print(f"| {name} | {requests} | {size / 1000:.0f} kB | {figures['p50']:.0f} / {figures['p95']:.0f} ms |")


def measure(browser: Browser, session: str, name: str, path: str, rounds: int) -> None:
    """A page, cold and warm."""
    cold, warm = [], []
    for _ in range(rounds):
        page = open_page(browser, session)
        first, milliseconds = load(page, path)
        cold.append(milliseconds)
        second_page = page.context.new_page()
        second, milliseconds = load(second_page, path)
        warm.append(milliseconds)
        page.context.close()
    report(f"{name}, cold", first.requests, first.bytes, cold)
    report(f"{name}, warm", second.requests, second.bytes, warm)


def measure_switch(browser: Browser, session: str, paths: list[str], rounds: int) -> None:
    """From one conversation to the other and back."""
    page = open_page(browser, session)
    page.goto(URL + paths[0], wait_until="networkidle")
    switched = Load(page)
    times = [float(page.evaluate(SWITCH, path)) for _ in range(rounds) for path in reversed(paths)]
    report("a switch to another conversation", switched.requests // len(times), switched.bytes // len(times), times)
    page.context.close()


def with_site(act: Callable[[Browser], None]) -> None:
    """Run `act` while the site runs."""
    with processes.web(settings.PORT, DEBUG="0"), sync_playwright() as playwright:
        browser = launch_chromium(playwright)
        act(browser)
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    call_command("migrate", verbosity=0)
    call_command("load_defaults", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    user = get_user_model().objects.create_user("maya")
    session = session_of(user)
    long, short = rows.long_conversation(user, TURNS), rows.long_conversation(user, 10)
    paths = [f"/c/{conversation.pk}/" for conversation in (long, short)]

    def act(browser: Browser) -> None:
        print("| page | requests | bytes | usable after p50 / p95 |\n|---|---|---|---|")
        measure(browser, session, "an empty chat", "/", rounds)
        measure(browser, session, "a conversation of 20 messages", paths[1], rounds)
        measure(browser, session, f"a conversation of {2 * TURNS:,} messages", paths[0], rounds)
        measure_switch(browser, session, paths, rounds)

    with_site(act)


if __name__ == "__main__":
    main()
