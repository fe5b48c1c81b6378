"""“Wrong route”, as people meet it: with the mouse, by keys, on a phone, without a script."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from router.models import Correction
from tests.browser.conftest import OpenPage
from tests.browser.steps import LETTER, answer, finish, send
from tests.conftest import Connect

pytestmark = [pytest.mark.browser, pytest.mark.processes]


PHONE = {"viewport": {"width": 390, "height": 800}, "color_scheme": "dark"}
MESSAGE = f"Summarise this in one sentence:\n\n{LETTER}"
THANKS = "Thank you: an admin will look at it."


@pytest.fixture(autouse=True)
def _answers(connect: Connect) -> None:
    connect("tokens2")


def routed(page: Page) -> Locator:
    """A finished answer that the classifier sent to the summaries."""
    reply = finish(send(page, MESSAGE))
    expect(reply.locator(".why summary")).to_contain_text("Summary")
    return reply


def test_choosing_the_right_route_answers_again_and_files_it(open_page: OpenPage, alice: Any) -> None:
    page = open_page(alice, **PHONE)
    page.goto("/")
    reply = routed(page)
    reply.get_by_label("Wrong route").click()
    expect(reply.get_by_role("button", name="Summary", exact=True)).to_have_count(0)
    reply.get_by_role("button", name="Chat", exact=True).click()
    expect(page.get_by_text(THANKS)).to_be_visible()
    expect(answer(page.locator(".reply"))).to_have_text("t0 t1")
    expect(page.locator(".reply .why summary")).to_contain_text("Chat")
    correction = Correction.objects.get()
    assert (correction.user, correction.wanted_route, correction.decision.route) == (alice, "generate", "summarise")
    again = finish(page.locator(".reply"))
    again.get_by_label("Another route, or compare").click()
    again.get_by_role("button", name="Classification", exact=True).click()
    expect(page.locator(".reply .why summary")).to_contain_text("Classification")
    assert Correction.objects.count() == 1
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    page.get_by_label("Message", exact=True).fill("Next")
    page.keyboard.press("Enter")
    expect(page.get_by_text(THANKS)).to_be_hidden()


def test_it_goes_by_keys_and_the_focus_stays_where_the_answer_is(page: Page) -> None:
    reply = routed(page)
    reply.get_by_label("Wrong route").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(reply.get_by_role("button", name="Classification", exact=True)).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(answer(page.locator(".reply"))).to_have_text("t0 t1")
    finish(page.locator(".reply"))
    assert page.evaluate("() => document.querySelector('.reply').contains(document.activeElement)")


def test_an_earlier_answer_is_corrected_and_what_followed_it_is_kept(page: Page) -> None:
    earlier = routed(page)
    finish(send(page, "/generate hello"))
    earlier.get_by_label("Wrong route").click()
    earlier.get_by_role("button", name="Chat", exact=True).click()
    expect(page.get_by_text(THANKS)).to_be_visible()
    expect(answer(finish(page.locator(".reply")))).to_have_text("t0 t1")
    assert Correction.objects.get().wanted_route == "generate"
    page.get_by_label("Previous version").click()
    expect(page.locator(".reply")).to_have_count(2)
    expect(page.locator(".reply .why summary").first).to_contain_text("Summary")


def test_it_works_without_a_script(open_page: OpenPage, alice: Any) -> None:
    page = open_page(alice, java_script_enabled=False)
    page.goto("/")
    page.get_by_label("Message", exact=True).fill(MESSAGE)
    page.get_by_role("button", name="Send").click()
    page.locator(".reply[data-status=done]").get_by_label("Wrong route").click()
    page.get_by_role("button", name="Chat", exact=True).last.click()
    expect(page.get_by_text(THANKS)).to_be_visible()
    expect(answer(page.locator(".reply[data-status=done]"))).to_have_text("t0 t1")
