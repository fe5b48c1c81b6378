"""Pages at 400 %, without motion, in forced colours, from right to left, and in browsers that keep nothing."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.backends.fake_provider import FakeProvider
from tests.browser.conftest import OpenPage
from tests.browser.steps import LETTER, answer, ask, finish, send
from tests.browser.test_appearance import WIDE_ANSWER, scrolls_sideways
from tests.conftest import Connect

pytestmark = [pytest.mark.browser, pytest.mark.processes]


BOTH_WAYS = """مرحبا بالعالم

Hello world

- שלום עולם
- Hello again

> اقتباس قصير

```python
print("مرحبا")  # code
```
"""
FULL = """
Storage.prototype.setItem = () => { throw new DOMException("full", "QuotaExceededError"); };
"""
FORBIDDEN = """
for (const name of ["localStorage", "sessionStorage"]) {
    Object.defineProperty(window, name, { get() { throw new DOMException("forbidden", "SecurityError"); } });
}
"""
# The keys under which something is kept that somebody typed.
KEPT = "() => Object.keys(localStorage).filter((key) => /draft|waiting/.test(key))"


def test_at_400_percent_everything_is_there_and_nothing_scrolls_sideways(
    open_page: OpenPage, alice: Any, connect: Connect
) -> None:
    connect("echo")
    page = open_page(alice, viewport={"width": 320, "height": 256})  # what is left of 1280 by 1024
    for address in ("/conversations/", "/account/", "/shortcuts/", "/search/?q=hello", "/"):
        page.goto(address)
        assert not scrolls_sideways(page), address
    reply = finish(ask(page, WIDE_ANSWER))
    reply.get_by_text("Why?").click()
    assert not scrolls_sideways(page)
    page.get_by_label("Message", exact=True).focus()
    expect(page.get_by_label("Message", exact=True)).to_be_in_viewport(ratio=0.9)
    expect(page.get_by_role("button", name="Send")).to_be_attached()


def test_whoever_wants_no_motion_gets_none(open_page: OpenPage, alice: Any) -> None:
    page = open_page(alice, reduced_motion="reduce")
    page.goto("/")
    finish(send(page, f"Summarise this in one sentence:\n\n{LETTER}"))
    moving = """() => [...document.querySelectorAll("*")]
        .flatMap((element) => ["", "::before", "::after"].map((part) => [element, part]))
        .map(([element, part]) => [element, getComputedStyle(element, part || null)])
        .filter(([, style]) => style.animationName !== "none" || parseFloat(style.transitionDuration) > 0)
        .map(([element]) => element.outerHTML.slice(0, 100))"""
    assert page.evaluate(moving) == []


def test_in_forced_colours_what_is_chosen_and_focused_can_be_told(open_page: OpenPage, alice: Any) -> None:
    page = open_page(alice, forced_colors="active")
    page.goto("/")
    frame = """element => {
        const { outline, borderColor } = getComputedStyle(element.nextElementSibling);
        return outline + borderColor;
    }"""
    routes = page.locator("#composer .chip input")
    assert routes.nth(0).evaluate(frame) != routes.nth(1).evaluate(frame)
    page.keyboard.press("Tab")
    outline = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"


def test_each_paragraph_finds_its_own_direction_and_code_stays_from_the_left(page: Page, connect: Connect) -> None:
    connect("echo")
    shown = answer(finish(ask(page, BOTH_WAYS)))
    # Where the text begins: the box of its first line against the box of the block.
    side = """element => {
        const range = document.createRange();
        range.selectNodeContents(element);
        const text = range.getClientRects()[0], box = element.getBoundingClientRect();
        return Math.abs(text.left - box.left) < Math.abs(text.right - box.right) ? "left" : "right";
    }"""
    paragraphs = shown.locator("p")
    assert paragraphs.nth(0).evaluate(side) == "right"
    assert paragraphs.nth(1).evaluate(side) == "left"
    assert shown.locator("li").nth(0).evaluate(side) == "right"
    assert shown.locator("blockquote p").evaluate(side) == "right"
    assert shown.locator("pre").evaluate("element => getComputedStyle(element).direction") == "ltr"


@pytest.mark.parametrize("storage", [FULL, FORBIDDEN], ids=["full", "forbidden"])
def test_a_browser_that_keeps_nothing_still_chats(
    open_page: OpenPage, alice: Any, connect: Connect, storage: str
) -> None:
    connect("tokens2")
    page = open_page(alice)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.add_init_script(storage)
    page.goto("/")
    page.get_by_role("button", name="Light or dark").click()
    expect(answer(finish(ask(page, "Hello")))).to_have_text("t0 t1")
    expect(page.get_by_label("Message", exact=True)).to_have_value("")
    page.reload()
    expect(answer(page.locator(".reply"))).to_have_text("t0 t1")
    assert errors == []


@pytest.mark.parametrize("days", [-400, 400])
def test_a_clock_that_is_wrong_is_nobodys_business(
    open_page: OpenPage, alice: Any, connect: Connect, provider: FakeProvider, days: int
) -> None:
    connect("gate2-tokens4")
    page = open_page(alice)
    page.add_init_script(f"{{ const now = Date.now; Date.now = () => now() + {days} * 86_400_000; }}")
    page.goto("/")
    reply = ask(page, "Count please")
    expect(answer(reply)).to_have_text("t0 t1")
    page.reload()
    expect(answer(reply)).to_have_text("t0 t1")
    provider.release()
    expect(answer(finish(reply))).to_have_text("t0 t1 t2 t3")


def test_signing_out_in_another_tab_leads_to_the_sign_in_page_and_back(page: Page) -> None:
    page.get_by_label("Message", exact=True).fill("Not sent yet")
    other = page.context.new_page()
    other.goto("/")
    with other.expect_navigation():  # it is brought back from where the browser had put it aside
        other.evaluate("() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    other.evaluate("() => localStorage.setItem('draft:0:', '{}')")
    other.get_by_role("button", name="Sign out").click()
    other.wait_for_url("**/sign-in/?signed-out")
    page.wait_for_url("**/sign-in/?next=*")
    # Neither has left anything of what was typed, whichever was the last; what somebody else typed is there.
    assert other.evaluate(KEPT) == ["draft:0:"]
    expect(page.get_by_label("Password")).to_be_visible()
    other.go_back()
    other.wait_for_url("**/sign-in/?next=/")
    other.goto("/sign-in/?signed-out")  # from nowhere
    assert other.evaluate(KEPT) == ["draft:0:"]
    with other.expect_navigation():  # as from the admin, which does not say who it was
        other.evaluate("() => location.assign('/sign-in/?signed-out=')")
    assert other.evaluate(KEPT) == []
