"""A message that is written while an answer is: it waits for the end of it, or brings that about."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, WebSocket, expect

from tests.backends.fake_provider import FakeProvider
from tests.browser.conftest import OpenPage
from tests.browser.steps import answer, ask, begin_anew, finish
from tests.conftest import Connect
from tests.pages import rows

pytestmark = [pytest.mark.browser, pytest.mark.processes]


def write(page: Page, text: str, keys: str = "Enter") -> None:
    page.get_by_label("Message", exact=True).fill(text)
    page.keyboard.press(keys)


def test_messages_wait_for_the_answer_survive_a_reload_and_go_out_in_turn(
    page: Page, connect: Connect, provider: FakeProvider
) -> None:
    connect("gate-tokens2")
    ask(page, "First")
    waiting = page.locator("#waiting li")
    for text in ("Second <img src=x onerror=alert(1)>", "Third", "Fourth"):
        write(page, text)
    expect(page.get_by_label("Message", exact=True)).to_have_value("")
    expect(waiting.locator(".waiting-text")).to_have_text(["Second <img src=x onerror=alert(1)>", "Third", "Fourth"])
    page.reload()
    expect(waiting).to_have_count(3)
    other = page.context.new_page()
    other.goto(page.url)
    other.locator("#waiting li").nth(1).get_by_role("button", name="Do not send this").click()
    expect(waiting).to_have_count(2)
    waiting.nth(1).get_by_role("button", name="Edit").click()
    expect(page.get_by_label("Message", exact=True)).to_have_value("Fourth")
    write(page, "Fourth, better")
    expect(other.locator("#waiting li")).to_have_count(2)  # both tabs send what waits; it is sent once
    expect(page.locator(".bubble")).to_have_text(["First"])
    provider.release()
    for tab in (page, other):
        finish(tab.locator(".reply").nth(2))
        expect(tab.locator("#waiting")).to_be_hidden()
        expect(tab.locator(".bubble")).to_have_text(["First", "Second <img src=x onerror=alert(1)>", "Fourth, better"])


def test_ctrl_enter_ends_the_answer_and_the_choice_is_remembered(
    page: Page, connect: Connect, provider: FakeProvider
) -> None:
    connect("gate3-tokens8")
    first = ask(page, "Count please")
    expect(answer(first)).to_have_text("t0 t1 t2")
    write(page, "Rather count anew", "Control+Enter")
    finish(first, "cancelled")
    second = page.locator(".reply").nth(1)
    expect(answer(second)).to_have_text("t0 t1 t2")
    page.get_by_label("Enter, while an answer is written").select_option("interrupt")
    page.reload()
    expect(answer(second)).to_have_text("t0 t1 t2")
    write(page, "Once more")
    finish(second, "cancelled")
    provider.release()
    finish(page.locator(".reply").nth(2))
    expect(page.get_by_label("Enter, while an answer is written")).to_be_hidden()


def test_one_that_is_refused_waits_for_the_person(page: Page, connect: Connect, provider: FakeProvider) -> None:
    connect("gate-tokens2")
    first = ask(page, "First")
    write(page, "/nonsense please")
    provider.release()
    finish(first)
    expect(page.get_by_role("alert")).to_contain_text("There is no route /nonsense.")
    page.locator("#waiting li").get_by_role("button", name="Edit").click()
    write(page, "Please")
    finish(page.locator(".reply").nth(1))
    expect(page.locator("#refusal")).to_be_empty()


def test_what_waits_is_there_again_after_a_switch_where_storage_takes_nothing(
    page: Page, connect: Connect, provider: FakeProvider
) -> None:
    connect("gate-tokens2")
    page.add_init_script("Storage.prototype.setItem = () => { throw new Error('full'); }")
    page.goto("/")
    ask(page, "First")
    write(page, "Second")
    begin_anew(page)
    expect(page.locator("#waiting")).to_be_hidden()
    page.go_back()
    expect(page.locator("#waiting .waiting-text")).to_have_text(["Second"])
    provider.release()
    finish(page.locator(".reply").nth(1))


def test_what_waits_goes_out_while_another_conversation_is_shown(
    page: Page, alice: Any, connect: Connect, provider: FakeProvider
) -> None:
    connect("gate-tokens2")
    rows.turn(alice, "Another question")
    page.goto("/")
    ask(page, "First")
    write(page, "Second")
    page.locator("#conversations").get_by_role("link", name="Another question").click()
    expect(page.locator("#title")).to_have_text("Another question")
    provider.release()
    page.wait_for_function("() => !Object.keys(localStorage).some((key) => key.startsWith('waiting:'))")
    expect(page.locator(".bubble")).to_have_text(["Another question"])
    page.locator("#conversations").get_by_role("link", name="First").click()
    expect(page.locator(".bubble")).to_have_text(["First", "Second"])
    finish(page.locator(".reply").nth(1))


def test_what_waits_elsewhere_hears_of_every_end_and_says_what_is_wrong(
    page: Page, open_page: OpenPage, alice: Any, connect: Connect, provider: FakeProvider
) -> None:
    connect("gate-tokens2")
    rows.turn(alice, "Another question")
    sockets: list[WebSocket] = []
    page.on("websocket", lambda socket: sockets.append(socket))
    page.goto("/")
    ask(page, "First")
    for text in ("Second", "/nonsense please"):
        write(page, text)
    phone = open_page(alice)
    phone.goto(page.url)
    page.locator("#conversations").get_by_role("link", name="Another question").click()
    expect(page.locator("#title")).to_have_text("Another question")
    too_many = [rows.turn(alice, "Busy", status="running", person=alice).completion for _ in range(7)]
    with sockets[-1].expect_event("framereceived", lambda payload: "too_many_answers" in payload):
        phone.get_by_role("button", name="Stop").click()
    for completion in filter(None, too_many):
        completion.close("done")  # it is tried again by itself
    expect(phone.locator(".bubble")).to_have_text(["First", "Second"])
    page.goto("about:blank")
    provider.release()
    finish(phone.locator(".reply").nth(1))
    page.goto("/")
    expect(page.locator("#note")).to_contain_text("waits in “First” could not be sent. There is no route /nonsense.")
    page.locator("#conversations").get_by_role("link", name="First").click()
    expect(page.locator("#waiting .waiting-text")).to_have_text(["/nonsense please"])
    expect(page.get_by_role("alert")).to_contain_text("There is no route /nonsense.")
