"""Light and dark, wide and narrow, with keyboard and screen reader, and without a script."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.backends.fake_provider import FakeProvider
from tests.browser.conftest import OpenPage
from tests.browser.steps import LETTER, answer, ask, assert_from_letter, finish, send, sign_in
from tests.conftest import Connect

pytestmark = [pytest.mark.browser, pytest.mark.processes]


PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
WIDE_ANSWER = (
    "# A heading\n\n" + "unbreakable" * 30 + "\n\n```python\n" + "x = 1 + " * 40 + "1\n```\n\n"
    "| " + " | ".join(["a long heading"] * 12) + " |\n|" + "---|" * 12 + "\n| " + " | ".join(["value"] * 12) + " |\n\n"
    "https://a.example/" + "path/" * 60 + "\n\n`" + "code" * 60 + "`"
)

RESIZE = """async () => {
    dispatchEvent(new Event("resize"));
    for (let pictures = 0; pictures < 3; pictures++) await new Promise(requestAnimationFrame);
}"""


def scrolls_sideways(page: Page) -> bool:
    return bool(page.evaluate("() => document.documentElement.scrollWidth > innerWidth"))


def background(page: Page) -> str:
    return str(page.evaluate("() => getComputedStyle(document.documentElement).backgroundColor"))


def test_nothing_is_wider_than_a_phone(open_page: OpenPage, alice: Any, connect: Connect) -> None:
    connect("echo")
    page = open_page(alice, **PHONE)
    page.goto("/")
    assert not scrolls_sideways(page)
    reply = finish(ask(page, WIDE_ANSWER))
    assert not scrolls_sideways(page)
    reply.get_by_text("Why?").click()
    assert not scrolls_sideways(page)
    page.get_by_label("Options of this conversation").click()
    assert not scrolls_sideways(page)


def test_the_sidebar_is_a_drawer_on_a_phone(open_page: OpenPage, alice: Any) -> None:
    page = open_page(alice, **PHONE)
    page.goto("/")
    link = page.get_by_role("link", name="New conversation")
    expect(link).to_be_hidden()
    page.get_by_role("link", name="Conversations", exact=True).click()
    expect(link).to_be_visible()
    page.keyboard.press("Escape")
    expect(link).to_be_hidden()
    expect(page.get_by_role("link", name="Conversations", exact=True)).to_be_focused()


def test_what_is_tapped_is_large_enough(open_page: OpenPage, alice: Any, connect: Connect) -> None:
    connect("echo")
    page = open_page(alice, **PHONE)
    page.goto("/")
    finish(ask(page, "```\ncode\n```"))
    for control in page.locator("button, summary, .icon-button, .chip span").all():
        if control.is_visible():
            box = control.bounding_box()
            assert box
            assert min(box["width"], box["height"]) >= 44, control.evaluate("element => element.outerHTML")


def test_the_page_can_be_zoomed(page: Page) -> None:
    viewport = page.locator("meta[name=viewport]").get_attribute("content") or ""
    assert "user-scalable" not in viewport
    assert "maximum-scale" not in viewport


def test_dark_follows_the_system_until_one_chooses(open_page: OpenPage, alice: Any) -> None:
    page = open_page(alice, color_scheme="dark")
    page.goto("/")
    dark = background(page)
    page.emulate_media(color_scheme="light")
    light = background(page)
    assert dark != light
    page.get_by_role("button", name="Light or dark").click()
    assert background(page) == dark
    page.reload()
    assert background(page) == dark
    page.get_by_role("button", name="Light or dark").click()
    assert background(page) == light


def test_everything_is_reached_with_the_keyboard(page: Page) -> None:
    finish(send(page, f"Summarise this in one sentence:\n\n{LETTER}"))
    page.keyboard.press("Escape")
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate("() => document.activeElement.textContent.trim() || document.activeElement.ariaLabel")
        )
    assert {"Skip to the message box", "New conversation", "Sign out", "Copy the answer"} <= reached
    assert any("Why?" in text for text in reached if text)


def test_the_skip_link_leads_to_the_message_box(page: Page) -> None:
    page.get_by_role("link", name="Skip to the message box").press("Enter")
    expect(page.get_by_label("Message", exact=True)).to_be_focused()


def test_answers_are_announced_by_the_sentence(page: Page, connect: Connect, provider: FakeProvider) -> None:
    connect("echo-gate5")
    reply = ask(page, "One **sentence** here. Another that is not over yet, but soon.")
    announced = page.locator("#announcements")
    expect(announced).to_have_text("One sentence here.")
    page.reload()  # now it comes as one snapshot
    expect(announced).to_have_text("One sentence here.")
    provider.release()
    finish(reply)
    expect(announced).to_contain_text("Another that is not over yet, but soon.")


def test_the_page_stays_where_one_reads(page: Page, connect: Connect, provider: FakeProvider) -> None:
    connect("echo-gate200")
    text = "\n\n".join(f"Paragraph {number} of many." for number in range(150))
    reply = ask(page, text)
    expect(answer(reply).get_by_text("Paragraph 49 of many.")).to_be_visible()  # all that comes before the gate
    page.wait_for_function("() => document.scrollingElement.scrollHeight - innerHeight - scrollY < 1")
    expect(page.get_by_role("button", name="Newest")).to_be_hidden()
    place = page.evaluate("() => scrollY") - 1000
    page.mouse.move(640, 300)
    page.mouse.wheel(0, -1000)
    page.wait_for_function("(place) => Math.abs(scrollY - place) < 1", arg=place)
    expect(page.locator("#jump")).to_be_visible()
    provider.release()
    finish(reply)
    assert abs(page.evaluate("() => scrollY") - place) < 1
    page.get_by_role("button", name="New text below").click()
    expect(answer(reply).get_by_text("Paragraph 149 of many.")).to_be_in_viewport()


def test_what_greets_people_stays_where_one_reads(page: Page) -> None:
    page.set_viewport_size({"width": 640, "height": 320})
    page.mouse.move(320, 100)
    page.mouse.wheel(0, 100)
    page.wait_for_function("() => Math.abs(scrollY - 100) < 1")
    page.evaluate(RESIZE)
    assert abs(page.evaluate("() => scrollY") - 100) < 1


def test_arabic_is_shown_from_the_right(page: Page, connect: Connect) -> None:
    connect("echo")
    reply = finish(ask(page, "مرحبا بالعالم"))
    for shown in (page.locator(".bubble"), answer(reply)):
        assert shown.evaluate("element => getComputedStyle(element).direction") == "rtl"


def test_one_can_sign_in_send_and_read_without_a_script(open_page: OpenPage, alice: Any) -> None:
    page = open_page(None, java_script_enabled=False)
    sign_in(page, alice)
    page.get_by_label("Message", exact=True).fill(f"Summarise this in one sentence:\n\n{LETTER}")
    page.get_by_role("button", name="Send").click()
    reply = finish(page.locator(".reply"))  # the page refreshes itself
    assert_from_letter(answer(reply))
    page.get_by_label("Message", exact=True).fill("/nonsense")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("alert")).to_contain_text("There is no route /nonsense.")
    expect(page.get_by_label("Message", exact=True)).to_have_value("/nonsense")
