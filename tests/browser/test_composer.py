"""Typing, keys, drafts, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Page, expect

from chatsite.chat.models import Turn
from tests.browser.steps import ask, begin_anew, finish, send
from tests.conftest import Connect

pytestmark = [pytest.mark.browser, pytest.mark.processes]


@pytest.fixture(autouse=True)
def _answers(connect: Connect) -> None:
    connect("tokens2")


def typed(page: Page) -> Any:
    return page.get_by_label("Message", exact=True)


def test_shift_enter_starts_a_new_line(page: Page) -> None:
    typed(page).press_sequentially("one")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("two")
    expect(typed(page)).to_have_value("one\ntwo")
    page.keyboard.press("Enter")
    expect(page.locator(".bubble")).to_have_text("one\ntwo", use_inner_text=True)
    expect(typed(page)).to_have_value("")


def test_enter_belongs_to_an_input_method_that_is_composing(page: Page) -> None:
    typed(page).fill("にほん")
    typed(page).dispatch_event("keydown", {"key": "Enter", "keyCode": 229, "bubbles": True, "cancelable": True})
    typed(page).dispatch_event("keydown", {"key": "Enter", "isComposing": True, "bubbles": True, "cancelable": True})
    expect(typed(page)).to_have_value("にほん")
    assert not Turn.objects.exists()


def test_alt_and_a_digit_choose_a_route_for_one_message(page: Page) -> None:
    page.keyboard.press("Alt+2")
    expect(page.get_by_label("Classification")).to_be_checked()
    reply = finish(send(page, "Spam or not spam: you have won a prize"))
    expect(reply.locator(".why summary")).to_contain_text("Classification")
    assert Turn.objects.get().wanted_route == "classify"
    expect(page.get_by_label("Auto")).to_be_checked()


def test_auto_says_where_a_message_would_go_while_it_is_typed(page: Page) -> None:
    preview = page.locator("#preview")
    typed(page).fill("tl;dr: The harbour was closed on Monday after a storm. Repairs will take a week.")
    expect(preview).to_have_text("Summary")
    typed(page).fill("Write a poem about the harbour")
    expect(preview).to_have_text("Chat")
    typed(page).fill("")
    expect(preview).to_have_text("")
    typed(page).fill("Write a poem about the harbour")
    expect(preview).to_have_text("Chat")
    page.keyboard.press("Enter")
    expect(preview).to_have_text("")
    expect(page.locator(".bubble")).to_have_text("Write a poem about the harbour")
    assert Turn.objects.get().wanted_route == ""


def test_a_command_chooses_a_route_too(page: Page) -> None:
    reply = finish(send(page, "/classify spam or not spam: you have won a prize"))
    reply.get_by_text("Why?").click()
    expect(reply.locator(".strategy")).to_have_text("You chose Classification.")


def test_a_starter_fills_the_composer(page: Page) -> None:
    page.get_by_role("link", name="Sort a message").click()
    expect(typed(page)).to_have_value(
        "Classify as billing, technical or other: I was charged twice in March, and the second invoice has the wrong "
        "address on it."
    )
    page.keyboard.press("Enter")
    finish(page.locator(".reply"))
    expect(page.locator(".welcome")).to_be_hidden()


@pytest.mark.parametrize("text", ["", "   ", "\n\n"])
def test_nothing_cannot_be_sent(page: Page, text: str) -> None:
    typed(page).fill(text)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Send")).to_be_disabled()
    assert not Turn.objects.exists()


def test_what_is_refused_stays_with_the_reason_beside_it(page: Page) -> None:
    typed(page).fill("/nonsense please")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("There is no route /nonsense.")
    expect(typed(page)).to_have_value("/nonsense please")
    typed(page).fill("Hello")
    page.keyboard.press("Enter")
    finish(page.locator(".reply"))
    expect(page.locator("#refusal")).to_be_empty()


def test_a_message_over_the_limit_is_told_before_it_is_sent(page: Page) -> None:
    typed(page).fill("ä" * (settings.MESSAGE_MAX_BYTES // 2 + 1))
    expect(page.get_by_text("Too long:")).to_be_visible()
    expect(page.get_by_role("button", name="Send")).to_be_disabled()
    page.keyboard.press("Enter")
    expect(page.locator(".message")).to_have_count(0)
    typed(page).fill("ä")
    expect(page.get_by_role("button", name="Send")).to_be_enabled()


def test_a_draft_survives_a_reload_and_belongs_to_its_conversation(page: Page) -> None:
    finish(ask(page, "Hello"))
    typed(page).fill("half a thought")
    page.reload()
    expect(typed(page)).to_have_value("half a thought")
    begin_anew(page)
    expect(typed(page)).to_have_value("")
    page.locator("#conversations a").first.click()
    expect(typed(page)).to_have_value("half a thought")


def test_sending_empties_the_draft(page: Page) -> None:
    finish(ask(page, "Hello"))
    page.reload()
    expect(typed(page)).to_have_value("")


def test_pressing_enter_twice_sends_once(page: Page) -> None:
    typed(page).fill("Hello")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    finish(page.locator(".reply"))
    assert Turn.objects.count() == 1


def test_a_long_message_is_folded(page: Page) -> None:
    ask(page, "word " * 2000 + "the end")
    bubble = page.locator(".bubble")
    expect(bubble).not_to_contain_text("the end", use_inner_text=True)
    bubble.get_by_text("Show all").click()
    expect(bubble).to_contain_text("the end", use_inner_text=True)
