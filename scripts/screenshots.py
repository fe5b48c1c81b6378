"""Makes the pictures in docs/images from a real installation: `python -m scripts.screenshots`.

Starts the product on loopback with a database of its own, sends real messages through real workers, and takes
screenshots in the distribution's Chromium.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # Playwright's loop runs in this thread

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402

from chatsite.chat import turns  # noqa: E402
from chatsite.chat.starters import STARTERS  # noqa: E402
from tests import processes  # noqa: E402
from tests.browser.chromium import launch_chromium  # noqa: E402
from tests.sessions import session_of  # noqa: E402

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
SHOTS: dict[str, dict[str, Any]] = {
    "conversation": {"viewport": {"width": 1280, "height": 860}, "color_scheme": "light"},
    "conversation-dark": {"viewport": {"width": 1280, "height": 860}, "color_scheme": "dark"},
    "conversation-phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light"},
}
OPERATIONS: dict[str, dict[str, Any]] = {
    "operations": {"viewport": {"width": 1280, "height": 1100}, "color_scheme": "light"},
    "operations-phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
}


def converse(page: Page) -> None:
    """Two messages that the embedded models answer, with the reasons of the second unfolded."""
    page.goto(f"http://127.0.0.1:{settings.PORT}/")
    for number, starter in enumerate((STARTERS[0], STARTERS[2]), 1):
        page.locator("#text").fill(str(starter.text))
        page.keyboard.press("Enter")
        page.locator(".message[data-status=done]").nth(number - 1).wait_for(timeout=60_000)
    page.locator(".why summary").last.click()
    page.locator(".message.user").last.scroll_into_view_if_needed()


def crowd() -> None:
    """Sixty people write at once."""
    for number in range(60):
        guest = get_user_model().objects.create_user(f"guest{number}")
        turns.submit(guest, text=str(STARTERS[number % 2 * 2].text))


def open_page(browser: Browser, session: str, **options: Any) -> Page:
    """A page of somebody who is signed in."""
    page = browser.new_page(**options)
    url = f"http://127.0.0.1:{settings.PORT}"
    page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": url}])
    return page


def shoot(page: Page, name: str) -> None:
    page.screenshot(path=IMAGES / f"{name}.png")
    print(IMAGES / f"{name}.png")


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    call_command("migrate", verbosity=0)
    call_command("load_defaults", verbosity=0)
    session = session_of(get_user_model().objects.create_user("maya"))
    owner = session_of(get_user_model().objects.create_superuser("ada"))
    with ExitStack() as stack:
        for queues in (("route",), ("embedded",), ("remote", "local"), ("files",)):
            stack.enter_context(processes.worker(*queues))
        stack.enter_context(processes.reaper())
        stack.enter_context(processes.web(settings.PORT))
        browser = launch_chromium(stack.enter_context(sync_playwright()))
        for name, options in SHOTS.items():
            page = open_page(browser, session, **options)
            converse(page)
            shoot(page, name)
        crowd()
        for name, options in OPERATIONS.items():
            page = open_page(browser, owner, **options)
            page.goto(f"http://127.0.0.1:{settings.PORT}/admin/operations/")
            page.wait_for_load_state("networkidle")
            shoot(page, name)
        browser.close()


if __name__ == "__main__":
    main()
