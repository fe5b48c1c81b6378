"""From one conversation to another without another page: what is written, typed and read stays with its own."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from chatsite.writing.models import Draft
from tests.backends.fake_provider import FakeProvider
from tests.browser.conftest import OpenPage
from tests.browser.steps import answer, ask, finish
from tests.conftest import Connect
from tests.pages import rows

pytestmark = [pytest.mark.browser, pytest.mark.processes]


MARK = "() => { window.isSamePage = true; }"
IS_SAME = "() => window.isSamePage === true"
# Where question 160 stands in the window, as soon as that does not change any more.
WHERE = """async () => {
  const shown = [...document.querySelectorAll(".bubble")].find((bubble) => bubble.textContent === "Question 160");
  const top = () => shown.getBoundingClientRect().top;
  const pictures = async (count) => {
    while (count--) await new Promise(requestAnimationFrame);
  };
  let before;
  do {
    before = top();
    await pictures(20);
  } while (before !== top());
  return before;
}"""


def link(page: Page, title: str) -> Any:
    return page.locator("#conversations").get_by_role("link", name=title, exact=True)


def is_shown(page: Page, title: str) -> None:
    expect(page.locator("#title")).to_have_text(title)
    expect(page).to_have_title(f"{title} - Switchyard")
    expect(page.locator("#conversations [aria-current]")).to_have_text(title)
    expect(page.locator(".bubble").first).to_have_text(title)


def test_links_back_and_forward_stay_on_the_page(page: Page, alice: Any) -> None:
    one, two = (rows.turn(alice, text) for text in ("First question", "Second question"))
    page.goto(f"/c/{one.conversation_id}/")
    page.evaluate(MARK)
    link(page, "Second question").click()
    is_shown(page, "Second question")
    expect(page).to_have_url(f"{page.url.split('/c/')[0]}/c/{two.conversation_id}/")
    expect(page.get_by_label("Message", exact=True)).to_be_focused()
    expect(page.locator("#announcements")).to_contain_text("Second question")
    page.get_by_role("link", name="New conversation").click()
    expect(page.locator(".welcome")).to_be_visible()
    expect(page.locator(".message")).to_have_count(0)
    page.go_back()
    is_shown(page, "Second question")
    expect(page.locator(".welcome")).to_have_count(0)
    page.go_back()
    is_shown(page, "First question")
    page.go_forward()
    is_shown(page, "Second question")
    assert page.evaluate(IS_SAME)


def test_an_answer_goes_on_elsewhere_and_is_watched_again(
    page: Page, alice: Any, connect: Connect, provider: FakeProvider
) -> None:
    connect("gate3-tokens8")
    rows.turn(alice, "Another question")
    page.goto("/")
    page.evaluate(MARK)
    expect(answer(ask(page, "Count please"))).to_have_text("t0 t1 t2")
    link(page, "Another question").click()
    is_shown(page, "Another question")
    expect(page.get_by_role("button", name="Stop the answer")).to_be_hidden()
    link(page, "Count please").click()
    expect(answer(page.locator(".reply"))).to_have_text("t0 t1 t2")
    expect(page.get_by_role("button", name="Stop the answer")).to_be_visible()
    link(page, "Another question").click()
    is_shown(page, "Another question")
    provider.release()
    link(page, "Count please").click()
    expect(answer(finish(page.locator(".reply")))).to_have_text("t0 t1 t2 t3 t4 t5 t6 t7")
    # What is sent here goes here.
    connect("tokens2")
    finish(ask(page, "One more"))
    expect(page.locator(".bubble")).to_have_text(["Count please", "One more"])
    assert page.evaluate(IS_SAME)


def test_each_conversation_keeps_what_was_typed_and_where_one_was(page: Page, alice: Any) -> None:
    rows.turn(alice, "Short one")
    long = rows.long_conversation(alice, 200)
    page.goto(f"/c/{long.pk}/")
    page.evaluate(MARK)
    page.get_by_label("Message", exact=True).fill("half a thought")
    page.mouse.move(640, 300)
    while page.get_by_text("Question 160", exact=True).count() == 0:
        page.mouse.wheel(0, -4000)
        page.wait_for_timeout(50)
    page.get_by_text("Question 160", exact=True).scroll_into_view_if_needed()
    expect(page.get_by_role("button", name="Newest")).to_be_visible()
    before = page.evaluate(WHERE)
    for come_back in (lambda: link(page, "200 questions").click(), page.go_back):
        link(page, "Short one").click()
        is_shown(page, "Short one")
        expect(page.get_by_label("Message", exact=True)).to_have_value("")
        come_back()
        expect(page.locator("#title")).to_have_text("200 questions")
        expect(page.get_by_label("Message", exact=True)).to_have_value("half a thought")
        expect(page.get_by_text("Question 160", exact=True)).to_be_in_viewport()
        assert abs(page.evaluate(WHERE) - before) < 3
        assert page.evaluate(IS_SAME)
    page.reload()
    expect(page.get_by_text("Question 160", exact=True)).to_be_in_viewport()
    expect(page.get_by_label("Message", exact=True)).to_have_value("half a thought")
    page.get_by_label("Message", exact=True).fill("")
    page.get_by_role("button", name="Newest").click()
    expect(page.get_by_text("Question 199", exact=True)).to_be_in_viewport()


def test_what_cannot_be_fetched_is_a_page_as_ever(page: Page, alice: Any) -> None:
    one, two = (rows.turn(alice, text) for text in ("First question", "Second question"))
    page.goto(f"/c/{one.conversation_id}/")
    page.evaluate(MARK)
    page.route(f"**/c/{two.conversation_id}/", lambda route: route.abort(), times=1)
    link(page, "Second question").click()
    is_shown(page, "Second question")
    assert not page.evaluate(IS_SAME)
    # Of a conversation that is not there any more one gets the words that any link to it leads to.
    one.conversation.delete()
    link(page, "First question").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("not")
    expect(page).to_have_url(re.compile(str(one.conversation_id)))


def test_the_drawer_closes_behind_one(open_page: OpenPage, alice: Any) -> None:
    rows.turn(alice, "First question")
    page = open_page(alice, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page.goto("/")
    page.get_by_role("link", name="Conversations", exact=True).tap()
    link(page, "First question").tap()
    is_shown(page, "First question")
    expect(link(page, "First question")).to_be_hidden()
    expect(page.locator("#title")).to_be_focused()


def test_what_is_sent_while_the_next_page_loads_is_not_taken_for_its_own(page: Page, alice: Any) -> None:
    one, two = (rows.turn(alice, text) for text in ("First question", "Second question"))
    held: list[Any] = []
    page.route(f"**/c/{two.conversation_id}/", lambda route: held.append(route), times=1)
    page.route_web_socket(re.compile(".*"), lambda socket: None)  # nothing is ever accepted
    page.goto(f"/c/{one.conversation_id}/")
    page.evaluate(MARK)
    link(page, "Second question").click()
    page.get_by_label("Message", exact=True).fill("One more")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Message", exact=True)).to_have_js_property("readOnly", True)
    held[0].continue_()
    is_shown(page, "Second question")
    assert not page.evaluate(IS_SAME)


def test_what_waits_for_a_file_is_not_sent_elsewhere(page: Page, alice: Any) -> None:
    rows.turn(alice, "First question")
    two = rows.turn(alice, "Second question")
    page.goto(f"/c/{two.conversation_id}/")
    text = page.get_by_label("Message", exact=True)
    with page.expect_response(lambda response: "draft" in response.url and response.request.method == "POST"):
        text.fill("half a thought")
    link(page, "First question").click()
    is_shown(page, "First question")
    page.route("**/files/", lambda route: None, times=1)
    page.get_by_label("Attach files").set_input_files("pyproject.toml")
    text.fill("And this?")
    page.keyboard.press("Enter")
    expect(page.locator("#note")).not_to_be_empty()
    link(page, "Second question").click()
    is_shown(page, "Second question")
    expect(text).to_have_value("half a thought")
    page.wait_for_timeout(300)
    expect(text).to_have_js_property("readOnly", False)
    expect(page.locator(".bubble")).to_have_count(1)


def test_back_and_forward_again_before_the_first_is_there(page: Page, alice: Any) -> None:
    one, _ = (rows.turn(alice, text) for text in ("First question", "Second question"))
    page.goto(f"/c/{one.conversation_id}/")
    page.evaluate(MARK)
    link(page, "Second question").click()
    is_shown(page, "Second question")
    held: list[Any] = []
    page.route(f"**/c/{one.conversation_id}/", lambda route: held.append(route), times=1)
    page.evaluate("() => history.back()")
    expect(page.locator("#conversations [aria-current]")).to_have_text("First question")
    page.evaluate("() => history.forward()")
    is_shown(page, "Second question")
    held[0].abort()
    page.wait_for_timeout(300)
    is_shown(page, "Second question")
    assert page.evaluate(IS_SAME)


def test_a_draft_that_is_posted_late_neither_hides_a_newer_one_nor_is_hidden(page: Page, alice: Any) -> None:
    one, two = (rows.turn(alice, text) for text in ("First question", "Second question"))
    text = page.get_by_label("Message", exact=True)
    page.goto(f"/c/{one.conversation_id}/")
    held: list[Any] = []
    page.route("**/nowhere/", lambda route: route.abort())  # without any route, Playwright lets go of all it holds
    page.route("**/draft/", lambda route: held.append(route), times=1)
    text.fill("half a thought")
    link(page, "Second question").click()
    is_shown(page, "Second question")
    with page.expect_response("**/draft/"):
        held.pop().continue_()
    Draft.objects.filter(conversation=one.conversation).update(text="a whole thought", revision=7)  # on the phone
    link(page, "First question").click()
    is_shown(page, "First question")
    expect(text).to_have_value("a whole thought")
    # The page of a conversation may be made before what was typed in it has arrived.
    page.route("**/draft/", lambda route: held.append(route), times=1)
    text.fill("another thought")
    link(page, "Second question").click()
    is_shown(page, "Second question")
    page.route(f"**/c/{one.conversation_id}/", lambda route: held.append((route, route.fetch())), times=1)
    with page.expect_request(f"**/c/{one.conversation_id}/"):
        link(page, "First question").click()
    while len(held) < 2:
        page.wait_for_timeout(20)
    posted, (came, old_page) = held
    with page.expect_response("**/draft/"):
        posted.continue_()
    came.fulfill(response=old_page)
    is_shown(page, "First question")
    expect(text).to_have_value("another thought")
    assert two.conversation.drafts.count() == 0


def test_what_was_asked_for_in_one_conversation_does_not_come_into_another(
    page: Page, alice: Any, connect: Connect, provider: FakeProvider
) -> None:
    connect("gate-tokens2")
    rows.turn(alice, "First question")
    text = page.get_by_label("Message", exact=True)
    page.goto("/")
    ask(page, "Count please")
    page.get_by_label("Attach files").set_input_files("README.md")
    expect(page.locator("#files [data-state=ready]")).to_be_visible()
    text.fill("And this?")
    page.keyboard.press("Enter")
    held: list[Any] = []
    page.route("**/nowhere/", lambda route: route.abort())  # see above
    for address in ("**/files/*/", "**/sent/*"):
        page.route(address, lambda route: held.append(route), times=1)
    text.press("ArrowUp")
    page.locator("#waiting").get_by_role("button", name="Edit").click()
    expect(text).to_have_value("And this?")
    while len(held) < 2:
        page.wait_for_timeout(20)
    link(page, "First question").click()
    is_shown(page, "First question")
    for route in held:
        with page.expect_response(route.request.url):
            route.continue_()
    page.evaluate("() => new Promise(requestAnimationFrame)")
    expect(text).to_have_value("")
    expect(page.locator("#files li")).to_have_count(0)
    link(page, "Count please").click()
    expect(text).to_have_value("And this?")
    expect(page.locator("#files li")).to_have_count(1)
