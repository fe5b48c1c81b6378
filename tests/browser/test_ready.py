"""Somebody who is elsewhere hears that an answer is ready: in the title, and by a notification if they asked for it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.backends.fake_provider import FakeProvider
from tests.browser.conftest import OpenPage
from tests.browser.steps import answer, ask, finish
from tests.conftest import Connect
from tests.pages import rows

pytestmark = [pytest.mark.browser, pytest.mark.processes]


# A browser whose window can be looked away from, which counts what it is asked and what it is told to show.
AWAY = """() => {
  window.isAway = false;
  window.asked = 0;
  window.notified = [];
  Object.defineProperty(document, "hidden", { get: () => window.isAway });
  class Told extends EventTarget {
    static permission = "default";
    static async requestPermission() {
      window.asked++;
      Told.permission = window.answers ?? "granted";
      return Told.permission;
    }
    constructor(title, { body }) {
      super();
      window.notified.push(`${title}: ${body}`);
    }
  }
  window.Notification = Told;
}"""
LOOK = """(isAway) => {
  window.isAway = isAway;
  document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.fixture
def page(open_page: OpenPage, alice: Any) -> Page:
    page = open_page(alice)
    page.add_init_script(f"({AWAY})()")
    page.goto("/")
    return page


def answer_while_away(page: Page, connect: Connect, provider: FakeProvider, text: str) -> None:
    provider.gate.clear()
    connect("gate3-tokens8")
    reply = ask(page, text)
    expect(answer(reply)).to_have_text("t0 t1 t2")
    page.evaluate(LOOK, True)
    provider.release()
    finish(reply)
    expect(page).to_have_title(re.compile(r"^\(\d\) "))


def test_the_title_counts_answers_that_nobody_has_seen(page: Page, connect: Connect, provider: FakeProvider) -> None:
    answer_while_away(page, connect, provider, "First question")
    expect(page).to_have_title("(1) First question - Switchyard")
    answer_while_away(page, connect, provider, "Second question")
    expect(page).to_have_title("(2) First question - Switchyard")
    assert page.evaluate("() => [window.asked, window.notified.length]") == [0, 0]
    other = page.context.new_page()
    other.goto("/")
    marked = other.locator("#conversations li[data-ready]")
    expect(marked).to_have_count(1)
    page.evaluate("() => document.querySelector('#conversations li').remove()")  # as if it were an old one
    page.evaluate(LOOK, False)
    expect(page).to_have_title("First question - Switchyard")
    expect(marked).to_have_count(0)
    answer_while_away(page, connect, provider, "One more question")
    other.goto(page.url)
    expect(page).to_have_title("First question - Switchyard")
    page.evaluate(LOOK, False)
    finish(ask(page, "Third question"))
    expect(page).to_have_title("First question - Switchyard")


def test_a_notification_comes_if_one_has_asked_for_it(page: Page, connect: Connect, provider: FakeProvider) -> None:
    bell = page.get_by_role("button", name="Tell me when an answer is ready")
    expect(bell).to_have_attribute("aria-pressed", "false")
    bell.click()
    expect(bell).to_have_attribute("aria-pressed", "true")
    answer_while_away(page, connect, provider, "A question")
    page.wait_for_function("() => window.notified.length === 1")
    assert page.evaluate("() => window.notified") == ["The answer is ready: A question"]
    page.evaluate(LOOK, False)
    bell.click()
    expect(bell).to_have_attribute("aria-pressed", "false")
    answer_while_away(page, connect, provider, "Another question")
    assert page.evaluate("() => [window.asked, window.notified.length]") == [1, 1]


def test_an_answer_that_comes_in_another_conversation_is_marked_in_the_list(
    page: Page, alice: Any, connect: Connect, provider: FakeProvider
) -> None:
    connect("gate3-tokens8")
    rows.turn(alice, "Another question")
    page.goto("/")
    page.get_by_role("button", name="Tell me when an answer is ready").click()
    counting, another = (page.locator("#conversations li", has_text=text) for text in ("Count please", "Another"))
    expect(answer(ask(page, "Count please"))).to_have_text("t0 t1 t2")
    another.get_by_role("link").click()
    expect(page).to_have_title("Another question - Switchyard")
    provider.release()
    expect(counting).to_have_attribute("data-ready", "")
    expect(counting.get_by_role("link")).to_have_accessible_description("New answer")
    expect(page.locator("#announcements")).to_contain_text("The answer is ready: Count please")
    phone = page.context.new_page()
    phone.goto("/")
    marked = phone.locator("#conversations li[data-ready]")
    expect(marked).to_have_count(1)
    counting.get_by_role("link").click()
    expect(counting).not_to_have_attribute("data-ready", "")
    expect(marked).to_have_count(0)
    provider.gate.clear()
    expect(answer(ask(page, "Once more"))).to_have_text("t0 t1 t2")
    another.get_by_role("link").click()
    expect(page).to_have_title("Another question - Switchyard")
    page.evaluate(LOOK, True)
    provider.release()
    expect(page).to_have_title("(1) Another question - Switchyard")
    page.wait_for_function("() => window.notified.length === 1")
    assert page.evaluate("() => window.notified") == ["The answer is ready: Count please"]


def test_a_browser_that_may_not_tell_says_so(page: Page) -> None:
    page.evaluate("() => { window.answers = 'denied'; }")
    bell = page.get_by_role("button", name="Tell me when an answer is ready")
    bell.click()
    expect(page.locator("#note")).to_contain_text(re.compile("does not let this site notify you"))
    expect(bell).to_have_attribute("aria-pressed", "false")
