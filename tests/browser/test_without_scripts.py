"""The whole chat with JavaScript switched off: forms and links."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from router.models import Correction
from tests.backends.fake_provider import FakeProvider
from tests.browser.conftest import OpenPage
from tests.browser.steps import LETTER, answer, assert_from_letter, finish, sign_in
from tests.conftest import Connect

pytestmark = [pytest.mark.browser, pytest.mark.processes]


@pytest.fixture
def plain(open_page: OpenPage, alice: Any) -> Page:
    """Alice has signed in, in a browser without scripts."""
    page = open_page(None, java_script_enabled=False)
    sign_in(page, alice)
    return page


def send(page: Page, text: str, route: str = "") -> None:
    if route:
        page.locator("#composer .chip", has_text=route).click()
    page.get_by_label("Message", exact=True).fill(text)
    page.get_by_role("button", name="Send").click()


def test_an_answer_is_had_corrected_and_had_again(plain: Page) -> None:
    send(plain, f"Summarise this in one sentence:\n\n{LETTER}")
    reply = finish(plain.locator(".reply"))  # the page refreshes itself
    assert_from_letter(answer(reply))
    reply.get_by_text("Why?").click()
    expect(reply.get_by_text("Decided in")).to_be_visible()
    reply.get_by_role("button", name="Answer again").click()
    finish(plain.locator(".reply"))
    reply.locator(".reroute > summary").click()
    reply.get_by_role("button", name="Classification", exact=True).first.click()
    expect(plain.get_by_text("an admin will look at it")).to_be_visible()
    finish(plain.locator(".reply"))
    assert Correction.objects.get().wanted_route == "classify"


def test_a_route_is_chosen_and_an_answer_stopped(plain: Page, connect: Connect, provider: FakeProvider) -> None:
    connect("gate2-tokens8")
    send(plain, "Count please", "Chat")
    plain.get_by_role("button", name="Stop").and_(plain.locator(":visible")).first.click()
    expect(plain.get_by_text("Stopped.")).to_be_visible()
    provider.release()
    send(plain, "/nonsense")
    expect(plain.get_by_role("alert")).to_contain_text("There is no route /nonsense.")
    expect(plain.get_by_label("Message", exact=True)).to_have_value("/nonsense")


def test_the_rest_of_an_answer_is_one_click_away(plain: Page, connect: Connect) -> None:
    connect("length")
    send(plain, "Tell me a long story", "Chat")
    finish(plain.locator(".reply"))
    plain.get_by_role("button", name="Continue", exact=True).click()
    finish(plain.locator(".reply").nth(1))
    expect(plain.get_by_text("Continue where you stopped.")).to_be_visible()


def test_a_conversation_is_renamed_found_and_deleted(plain: Page) -> None:
    send(plain, f"Summarise this in one sentence:\n\n{LETTER}")
    finish(plain.locator(".reply"))
    plain.locator("#menu > summary").click()
    plain.get_by_role("textbox", name="Title").fill("The harbour")
    plain.get_by_role("button", name="Rename").click()
    expect(plain.get_by_role("heading", name="The harbour")).to_be_visible()
    plain.locator("#menu > summary").click()
    plain.get_by_role("button", name="Delete").last.click()
    expect(plain.get_by_text("Deleted: The harbour")).to_be_visible()
    plain.get_by_role("button", name="Undo").click()
    expect(plain.get_by_role("heading", name="The harbour")).to_be_visible()


def test_another_language_is_chosen(plain: Page) -> None:
    plain.locator("summary[aria-label=Language]").click()
    plain.get_by_role("button", name="Deutsch").click()
    expect(plain.get_by_role("heading", name="Was kann ich für Sie tun?")).to_be_visible()
    assert plain.locator("html").get_attribute("lang") == "de"
