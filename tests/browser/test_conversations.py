"""The list of conversations in real tabs: what is done in one is seen in all."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from chatsite.chat import many
from chatsite.chat.models import Conversation
from tests.backends.fake_provider import FakeProvider
from tests.browser.steps import answer, ask, finish
from tests.conftest import Connect

pytestmark = [pytest.mark.browser, pytest.mark.processes]

ATTACK = '"><img src=x onerror=alert(1)>'


def listed(page: Page, group: str = "today") -> Locator:
    return page.locator(f"#conversations [data-group={group}] a")


def options(page: Page) -> Locator:
    """The menu of the conversation that is shown, opened."""
    page.get_by_label("Options of this conversation").click()
    return page.locator("#menu .menu-panel")


def item_options(page: Page, title: str) -> Locator:
    """The menu of one in the list, opened."""
    item = page.locator("#conversations li", has_text=title)
    item.hover()
    item.get_by_label("Options").click()
    return page.locator("#item-menu")


def test_what_is_done_in_one_tab_is_seen_in_the_other(page: Page, connect: Connect) -> None:
    connect("tokens2")
    finish(ask(page, "A question"))
    other = page.context.new_page()
    other.goto(page.url)
    menu = options(page)
    menu.get_by_label("Title").fill(ATTACK)
    menu.get_by_role("button", name="Rename").click()
    for tab in (page, other):
        expect(listed(tab)).to_have_text([ATTACK])
        expect(tab.locator("#title")).to_have_text(ATTACK)
    options(page).get_by_role("button", name="Pin").click()
    for tab in (page, other):
        expect(listed(tab, "pinned")).to_have_text([ATTACK])
        expect(tab.locator("[data-group=today]")).to_be_hidden()
    menu = options(other)
    menu.get_by_text("Tags", exact=True).click()
    menu.get_by_label("New tags").fill(f"work, {ATTACK[:30]}")
    menu.get_by_role("button", name="Save tags").click()
    for tab in (page, other):
        expect(tab.locator("#tags a")).to_have_text([ATTACK[:30], "work"])
    options(page).get_by_role("button", name="Archive").click()
    expect(other.locator("#conversations a")).to_have_count(0)
    options(other).get_by_role("button", name="Take out of the archive").click()
    expect(listed(page, "pinned")).to_have_text([ATTACK])
    other.goto("/conversations/")
    other.get_by_role("checkbox").focus()
    other.keyboard.press("Space")
    other.keyboard.press("Enter")
    expect(other.get_by_label("Tags", exact=True)).to_be_focused()  # it is missing
    expect(other.get_by_role("checkbox")).to_be_checked()
    other.get_by_role("button", name="Delete", exact=True).click()
    expect(other.locator(".undo")).to_contain_text("1 conversation is deleted.")
    expect(page.locator("#conversations a")).to_have_count(0)
    expect(page.locator(".gone")).to_be_visible()
    other.get_by_role("button", name="Undo").click()
    expect(listed(page, "pinned")).to_have_text([ATTACK])
    expect(page.locator(".gone")).to_have_count(0)


def test_a_conversation_deleted_in_another_tab_says_so_and_leaves_nothing_being_written(
    page: Page, connect: Connect, provider: FakeProvider
) -> None:
    connect("endless-delay5")
    expect(answer(ask(page, "Count for ever"))).to_contain_text("t3")
    page.get_by_label("Message", exact=True).fill("Half a thought")
    other = page.context.new_page()
    other.goto("/")
    item_options(other, "Count for ever").get_by_role("button", name="Delete").click()
    expect(other.locator(".undo")).to_contain_text("Count for ever")
    expect(other.locator("#conversations a")).to_have_count(0)
    gone = page.locator(".gone")
    expect(gone).to_contain_text("has been deleted, in another tab")
    expect(page.locator(".state")).to_have_count(0)
    expect(page.get_by_role("button", name="Stop the answer")).to_be_hidden()
    page.keyboard.press("Enter")
    expect(page.locator("#refusal")).to_contain_text("It may have been deleted")
    expect(page.get_by_label("Message", exact=True)).to_have_value("Half a thought")
    other.get_by_role("button", name="Undo").click()
    expect(listed(other)).to_have_text(["Count for ever"])
    expect(gone).to_have_count(0)
    expect(page.get_by_label("Message", exact=True)).to_have_value("Half a thought")
    expect(page.locator(".reply .ended")).to_have_text("Stopped.")


def test_the_open_conversation_is_deleted_and_had_back(page: Page, connect: Connect) -> None:
    connect("tokens2")
    finish(ask(page, "A question"))
    options(page).get_by_role("button", name="Delete").click()
    expect(page.locator(".undo")).to_contain_text("A question")
    expect(page.locator(".message")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".bubble")).to_have_text("A question")
    expect(listed(page)).to_have_text(["A question"])


def test_the_list_goes_on_where_it_ends_and_is_narrowed_by_a_tag(page: Page, alice: Any) -> None:
    now = timezone.now()
    made = Conversation.objects.bulk_create(
        Conversation(user=alice, title=f"Number {n}", updated_at=now - timedelta(days=20, seconds=n))
        for n in range(120)
    )
    made[110].tags.create(user=alice, name="work")
    page.reload()
    expect(listed(page, "older")).to_have_count(50)
    page.locator("#conversations [data-action=older]").scroll_into_view_if_needed()
    expect(listed(page, "older")).to_have_count(100)
    page.locator("#conversations [data-action=older]").scroll_into_view_if_needed()
    expect(listed(page, "older")).to_have_count(120)
    assert listed(page, "older").all_inner_texts() == [f"Number {n}" for n in range(120)]
    page.get_by_role("link", name="work").click()
    expect(page.locator("#conversations a")).to_have_text(["Number 110"])
    page.get_by_role("link", name="work").click()
    expect(listed(page, "older")).to_have_count(50)
    listed(page, "older").nth(3).focus()
    many.archive(alice, Conversation.objects.filter(title="Number 0"), is_archived=True)
    expect(listed(page, "older").first).to_have_text("Number 1")
    expect(page.get_by_role("link", name="Number 3", exact=True)).to_be_focused()
