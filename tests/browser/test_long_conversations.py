"""A conversation of a thousand messages opens at its end, and is read back to its beginning."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.steps import answer, ask, finish
from tests.pages import rows

pytestmark = [pytest.mark.browser, pytest.mark.processes]

TURNS = 500
# Where a question stands in the window, if it is on the page.
TOP = """(text) => {
  const bubble = [...document.querySelectorAll(".bubble")].find((shown) => shown.textContent === text);
  return bubble ? bubble.getBoundingClientRect().top : null;
}"""


def first_question(page: Page) -> int:
    # Of what is out of sight the browser knows no inner text.
    return int((page.locator(".bubble").first.text_content() or "").removeprefix("Question "))


def test_earlier_messages_come_while_one_scrolls_up(page: Page, alice: Any, connect: Any) -> None:
    connect("echo")
    page.goto(f"/c/{rows.long_conversation(alice, TURNS).pk}/")
    expect(page.get_by_text(f"Question {TURNS - 1}", exact=True)).to_be_in_viewport()
    assert first_question(page) == TURNS - 30
    page.mouse.move(640, 300)
    while first_question(page) > TURNS - 100:
        before = first_question(page)
        page.mouse.wheel(0, -3000)
        page.wait_for_function(
            "(first) => document.querySelector('.bubble').textContent !== first || scrollY > 2000",
            arg=f"Question {before}",
        )
    assert page.evaluate("() => scrollY") > 0  # what came did not throw the reader to the beginning
    expect(page.get_by_role("button", name="Newest")).to_be_visible()

    # Nothing that is on the page is lost by a catch-up, which has the newest messages only.
    first = first_question(page)
    finish(ask(page, "One more question"))
    page.context.set_offline(True)
    page.context.set_offline(False)
    assert first_question(page) == first
    expect(page.locator(".message.user").last).to_contain_text("One more question")
    expect(answer(page.locator(".reply").last)).to_have_text("One more question")


def test_the_text_that_one_reads_stays_where_it_is_when_earlier_text_comes(page: Page, alice: Any) -> None:
    conversation = rows.long_conversation(alice, TURNS)
    page.route("**/before/**", lambda route: route.abort())
    page.goto(f"/c/{conversation.pk}/")
    page.evaluate("() => scrollTo(0, 0)")
    link = page.get_by_role("link", name="Show earlier messages")
    expect(link).to_be_in_viewport()
    page.unroute("**/before/**")
    text = f"Question {TURNS - 30}"
    before = page.evaluate(TOP, text)
    link.press("Enter")
    expect(page.get_by_text(f"Question {TURNS - 60}", exact=True)).to_be_attached()
    assert abs(page.evaluate(TOP, text) - before) < 2
    assert page.evaluate("() => document.activeElement.textContent.includes('Question')")


def test_a_link_to_a_message_opens_the_page_there(page: Page, alice: Any) -> None:
    conversation = rows.long_conversation(alice, TURNS)
    message = conversation.messages.get(text="Question 100")
    page.goto(f"/c/{conversation.pk}/?from={message.pk}#m-{message.pk}")
    expect(page.get_by_text("Question 100", exact=True)).to_be_in_viewport()
    expect(page.get_by_role("button", name="Newest")).to_be_visible()
