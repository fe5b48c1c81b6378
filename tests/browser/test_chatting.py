"""The main line through the product, in a real browser with real workers behind it."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.backends.fake_provider import FakeProvider
from tests.browser.conftest import OpenPage
from tests.browser.steps import LETTER, answer, ask, assert_from_letter, begin_anew, finish, send, sign_in
from tests.conftest import Connect

pytestmark = [pytest.mark.browser, pytest.mark.processes]


def test_signing_in_and_getting_an_answer(open_page: OpenPage, alice: Any) -> None:
    page = open_page(None)
    sign_in(page, alice)
    reply = finish(send(page, f"Summarise this in one sentence:\n\n{LETTER}"))
    assert_from_letter(answer(reply))
    expect(reply.locator(".why summary")).to_contain_text("Summary")


def test_a_new_conversation_gets_its_address_and_its_place_in_the_sidebar(page: Page) -> None:
    finish(send(page, "Classify as billing or technical: I was charged twice."))
    assert "/c/" in page.url
    current = page.locator("#conversations [aria-current]")
    expect(current).to_contain_text("Classify as billing")
    begin_anew(page)
    expect(page.locator(".message")).to_have_count(0)
    expect(page.get_by_label("Message", exact=True)).to_be_focused()
    page.locator("#conversations a").first.click()
    expect(page.locator(".bubble")).to_contain_text("I was charged twice.")


def test_text_appears_while_it_is_written(page: Page, connect: Connect, provider: FakeProvider) -> None:
    connect("gate3-tokens8")
    reply = ask(page, "Count please")
    expect(answer(reply)).to_have_text("t0 t1 t2")
    expect(reply.locator(".state")).to_contain_text("Writing…")
    provider.release()
    expect(answer(finish(reply))).to_have_text("t0 t1 t2 t3 t4 t5 t6 t7")


def test_a_reload_in_mid_answer_loses_nothing(page: Page, connect: Connect, provider: FakeProvider) -> None:
    connect("gate3-tokens8")
    expect(answer(ask(page, "Count please"))).to_have_text("t0 t1 t2")
    page.reload()
    reply = page.locator(".reply")
    expect(answer(reply)).to_have_text("t0 t1 t2")
    provider.release()
    expect(answer(finish(reply))).to_have_text("t0 t1 t2 t3 t4 t5 t6 t7")
    expect(page.locator(".bubble")).to_have_text("Count please")


def test_a_reload_shows_what_was_streamed(page: Page, connect: Connect) -> None:
    connect("echo")
    reply = finish(ask(page, "# Title\n\n- **one**\n- two\n\n```python\nx = 1\n```\n\n| a | b |\n|---|--:|\n| 1 | 2 |"))
    streamed = answer(reply).inner_html()
    page.reload()
    shown = answer(page.locator(".reply"))
    expect(shown.locator("h3, li strong, .code span.n, td.right")).to_have_count(4)
    assert streamed.replace('<button type="button"', "").count("<") == shown.inner_html().replace(
        '<button type="button"', ""
    ).count("<")


def test_blocks_are_formatted_while_the_next_is_written(page: Page, connect: Connect, provider: FakeProvider) -> None:
    connect("echo-gate5")
    reply = ask(page, "First **bold** paragraph.\n\nSecond paragraph, still open and long.")
    expect(answer(reply).locator(".done strong")).to_have_text("bold")
    expect(answer(reply).locator(".open")).to_have_text("Second paragraph,")
    provider.release()
    expect(answer(finish(reply)).locator("p")).to_have_count(2)


@pytest.mark.parametrize("how", ["Escape", "button"])
def test_an_answer_can_be_stopped(page: Page, connect: Connect, how: str) -> None:
    connect("endless-delay5")
    reply = ask(page, "Count for ever")
    expect(answer(reply)).to_contain_text("t5")
    if how == "Escape":
        page.keyboard.press("Escape")
    else:
        page.get_by_role("button", name="Stop the answer").click()
    finish(reply, "cancelled")
    expect(reply.locator(".ended")).to_have_text("Stopped.")
    expect(answer(reply)).to_contain_text("t5")
    expect(page.get_by_role("button", name="Stop the answer")).to_be_hidden()


def test_a_failed_answer_says_why_and_can_be_tried_again(page: Page, connect: Connect) -> None:
    connect("error401")
    reply = finish(ask(page, "Hello there, how are you?"), "failed")
    expect(reply.get_by_role("heading", name="The model's server refused the request")).to_be_visible()
    connect("tokens3")
    reply.get_by_role("button", name="Try again").click()
    expect(answer(finish(page.locator(".reply")))).to_have_text("t0 t1 t2")
    expect(page.locator(".message")).to_have_count(2)


def test_without_a_generative_model_the_owner_is_led_to_connect_one(open_page: OpenPage, admin: Any) -> None:
    page = open_page(admin)
    page.goto("/")
    reply = finish(send(page, "Write a poem about the sea"), "failed")
    expect(reply.get_by_role("heading", name="No generative model is connected")).to_be_visible()
    reply.get_by_role("link", name="Connect a generative model").click()
    expect(page).to_have_url(f"{page.url.split('/admin/')[0]}/admin/workers/provider/add/")


def test_an_answer_can_be_had_again(page: Page, connect: Connect) -> None:
    connect("tokens2")
    finish(ask(page, "Hello there, how are you?"))
    connect("tokens4")
    page.get_by_role("button", name="Answer again").click()
    expect(answer(page.locator(".reply"))).to_have_text("t0 t1 t2 t3")
    expect(page.locator(".message")).to_have_count(2)


def test_why_stays_open_when_the_answer_is_finished(page: Page, connect: Connect, provider: FakeProvider) -> None:
    connect("gate3-tokens8")
    reply = ask(page, "What is the capital of Peru?")
    reply.get_by_text("Why?").click()
    expect(reply.locator(".strategy")).to_have_text("You chose Chat.")
    provider.release()
    finish(reply)
    expect(reply.locator(".why-panel")).to_be_visible()
    expect(reply.locator(".why-panel")).to_contain_text("Finished after")


def test_two_tabs_of_a_person_show_the_same(page: Page, connect: Connect, provider: FakeProvider) -> None:
    connect("tokens2")
    finish(ask(page, "First"))
    other = page.context.new_page()
    other.goto(page.url)
    connect("gate2-tokens4")
    ask(page, "Second, and so long that the other tab fetches it. " * 500)
    expect(other.locator(".bubble")).to_have_count(2)
    expect(other.locator(".bubble").nth(1)).to_contain_text("fetches it. Second")
    expect(answer(other.locator(".reply").nth(1))).to_have_text("t0 t1")
    provider.release()
    for tab in (page, other):
        expect(answer(finish(tab.locator(".reply").nth(1)))).to_have_text("t0 t1 t2 t3")


def test_a_message_of_another_tab_appears_in_the_sidebar_only(page: Page, connect: Connect) -> None:
    connect("tokens2")
    other = page.context.new_page()
    other.goto("/")
    finish(ask(page, "Only in the first tab"))
    expect(other.locator("#conversations a")).to_have_text(["Only in the first tab"])
    expect(other.locator(".message")).to_have_count(0)


def test_a_code_block_is_copied(open_page: OpenPage, alice: Any, connect: Connect) -> None:
    connect("echo")
    page = open_page(alice, permissions=["clipboard-read", "clipboard-write"])
    page.goto("/")
    reply = finish(ask(page, "```python\nif x < 1:\n    pass\n```"))
    reply.get_by_role("button", name="Copy", exact=True).click()
    expect(reply.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("() => navigator.clipboard.readText()") == "if x < 1:\n    pass\n"
    reply.get_by_role("link", name="Copy the answer").click()
    expect(reply.locator(".copied[data-action=copy-answer]")).to_be_visible()
    assert page.evaluate("() => navigator.clipboard.readText()") == "```python\nif x < 1:\n    pass\n```"
