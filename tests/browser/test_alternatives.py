"""Several answers to a message, and the rest of one, as people meet them: given again anywhere, looked through."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.backends.fake_provider import FakeProvider
from tests.browser.conftest import OpenPage
from tests.browser.steps import answer, ask, finish
from tests.conftest import Connect

pytestmark = [pytest.mark.browser, pytest.mark.processes]


@pytest.fixture(autouse=True)
def _answers(connect: Connect) -> None:
    connect("echo")


def converse(page: Page) -> None:
    """Two questions, and then another answer to the first."""
    finish(ask(page, "One"))
    finish(ask(page, "Two"))
    page.locator(".reply").first.get_by_label("Answer again", exact=True).click()
    expect(page.locator(".reply")).to_have_count(1)
    finish(page.locator(".reply"))


def test_an_earlier_answer_is_given_again_and_the_arrows_lead_back(page: Page) -> None:
    converse(page)
    expect(page.locator(".reply .among")).to_have_text("2/2")
    page.get_by_label("Previous version").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".reply")).to_have_count(2)
    expect(answer(page.locator(".reply").nth(1))).to_have_text("Two")
    expect(page.locator(".reply .among")).to_have_text("1/2")
    expect(page.get_by_label("Next version")).to_be_focused()  # there is no previous one
    page.reload()
    expect(page.locator(".reply")).to_have_count(2)
    finish(ask(page, "Three"))
    page.get_by_label("Next version").click()
    expect(page.locator(".reply")).to_have_count(1)


def test_the_rest_of_an_answer_is_one_click_away(page: Page, connect: Connect) -> None:
    connect("length")
    first = finish(ask(page, "Tell me a long story"))
    expect(first.locator(".ended")).to_contain_text("reached its limit of length")
    page.get_by_label("Message", exact=True).fill("And meanwhile")
    first.get_by_role("button", name="Continue", exact=True).click()
    second = finish(page.locator(".reply").nth(1))
    expect(page.locator(".message.user").nth(1)).to_contain_text("Continue where you stopped.")
    expect(second.locator(".ended")).to_be_in_viewport()
    expect(page.get_by_role("button", name="Continue", exact=True)).to_have_count(1)  # of the last one alone
    expect(second.get_by_role("button", name="Continue", exact=True)).to_be_visible()
    expect(page.get_by_label("Message", exact=True)).to_have_value("And meanwhile")


def test_whose_page_just_fits_goes_along_with_the_rest_of_an_answer(page: Page, connect: Connect) -> None:
    connect("length-tokens60-delay5")
    page.set_viewport_size({"width": 1280, "height": 700})
    finish(ask(page, "Tell me a long story about a lighthouse"))
    finish(ask(page, "Tell me a long story about a harbour"))
    page.get_by_role("button", name="Continue", exact=True).click()
    finish(page.locator(".reply").nth(2))
    expect(page.locator("#jump")).to_be_hidden()
    page.wait_for_function("() => document.scrollingElement.scrollHeight - innerHeight - scrollY < 1")


def test_another_tab_shows_the_same_branch(page: Page, open_page: OpenPage, alice: Any) -> None:
    converse(page)
    other = open_page(alice)
    other.goto(page.url)
    expect(other.locator(".reply .among")).to_have_text("2/2")
    page.get_by_label("Previous version").click()
    expect(answer(other.locator(".reply").nth(1))).to_have_text("Two")
    other.locator(".reply").first.get_by_label("Answer again", exact=True).click()
    expect(page.locator(".reply .among")).to_have_text("3/3")
    expect(page.locator(".reply")).to_have_count(1)
    finish(page.locator(".reply"))


def test_the_arrows_work_without_a_script(page: Page, open_page: OpenPage, alice: Any) -> None:
    converse(page)
    plain = open_page(alice, java_script_enabled=False)
    plain.goto(page.url)
    plain.get_by_label("Previous version").click()
    expect(answer(plain.locator(".reply").nth(1))).to_have_text("Two")
    plain.get_by_label("Next version").click()
    expect(plain.locator(".reply .among")).to_have_text("2/2")


def test_ones_own_message_is_edited_where_it_stands(page: Page, open_page: OpenPage, alice: Any) -> None:
    finish(ask(page, "One"))
    finish(ask(page, "Two"))
    other = open_page(alice)
    other.goto(page.url)
    page.get_by_label("Edit this message").first.click()
    box = page.get_by_label("Your message")
    expect(box).to_be_focused()
    expect(box).to_have_value("One")
    box.fill("never mind")
    page.keyboard.press("Escape")
    expect(box).to_have_count(0)
    expect(page.get_by_label("Edit this message").first).to_be_focused()
    page.reload()  # what was typed is kept until it is sent or given up
    page.get_by_label("Edit this message").first.click()
    expect(box).to_have_value("never mind")
    page.get_by_role("link", name="Cancel").click()
    page.get_by_label("Edit this message").first.click()
    expect(box).to_have_value("One")
    box.fill("Another <b>One</b>")
    page.keyboard.press("Enter")
    for each in (page, other):
        expect(each.locator(".user .bubble")).to_have_text(["Another <b>One</b>"])
        expect(each.locator(".user .among")).to_have_text("2/2")
        expect(answer(finish(each.locator(".reply")))).to_contain_text("Another")
    page.locator(".user").get_by_label("Previous version").click()
    expect(other.locator(".bubble")).to_have_text(["One", "Two"])


def test_escape_ends_the_form_and_not_the_answer_that_is_being_written(
    page: Page, connect: Connect, provider: FakeProvider
) -> None:
    connect("gate2-tokens4")
    reply = ask(page, "Count please")
    expect(answer(reply)).to_have_text("t0 t1")
    page.get_by_label("Edit this message").click()
    expect(page.get_by_label("Your message")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_label("Your message")).to_have_count(0)
    provider.release()
    expect(answer(finish(reply))).to_have_text("t0 t1 t2 t3")


def test_an_edited_message_that_is_refused_stays_in_its_form(page: Page) -> None:
    finish(ask(page, "One"))
    page.get_by_label("Edit this message").click()
    page.get_by_label("Your message").fill("/nonsense One")
    page.get_by_role("button", name="Send", exact=True).first.click()
    expect(page.locator(".edit").get_by_role("alert")).to_contain_text("There is no route /nonsense.")
    expect(page.get_by_label("Your message")).to_have_value("/nonsense One")
    page.get_by_label("Your message").fill("Eins")
    page.keyboard.press("Enter")
    expect(page.locator(".bubble")).to_have_text("Eins")


def test_a_message_is_edited_without_a_script(page: Page, open_page: OpenPage, alice: Any) -> None:
    finish(ask(page, "One"))
    plain = open_page(alice, java_script_enabled=False)
    plain.goto(page.url)
    plain.get_by_label("Edit this message").click()
    plain.get_by_label("Your message").fill("Uno")
    plain.get_by_role("button", name="Send").click()
    expect(plain.locator(".bubble")).to_have_text("Uno")
    finish(plain.locator(".reply"))
    expect(page.locator(".bubble")).to_have_text("Uno")
