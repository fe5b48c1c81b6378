"""What axe-core finds on a page, in light and dark and on a phone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, ViewportSize

WIDE: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
LOOKS: dict[str, tuple[Any, ViewportSize]] = {
    "light": ("light", WIDE),
    "dark": ("dark", WIDE),
    "phone": ("dark", PHONE),
}
# WCAG 2.2 AA, and what axe-core calls best practice.
OPTIONS = {
    "resultTypes": ["violations"],
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
}
RUN = "(options) => axe.run(options).then((results) => results.violations)"


def faults(page: Page, name: str, looks: Iterable[str] = tuple(LOOKS)) -> list[str]:
    """A line for each element that breaks a rule, as the page is now."""
    found = []
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    for look in looks:
        scheme, size = LOOKS[look]
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.set_viewport_size(size)
        page.evaluate("() => scrollTo(0, document.documentElement.scrollHeight)")  # nothing is half behind the composer
        for violation in page.evaluate(RUN, OPTIONS):
            for node in violation["nodes"]:
                found.append(f"{name}, {look}: {violation['id']}: {node['html'][:160]}: {node['failureSummary']}")
    page.set_viewport_size(WIDE)
    return found
