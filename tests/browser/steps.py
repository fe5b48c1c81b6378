"""What a person does, and what they wait for."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.hashers import PBKDF2PasswordHasher
from playwright.sync_api import Locator, Page, expect

PASSWORD = "the rain in Spain"

LETTER = (
    "The harbour was closed on Monday after a storm had torn two cranes from their rails. Repairs will take a week. "
    "Ships wait outside, and the shops run out of fruit. The mayor says that nobody was hurt. The port's insurance "
    "pays for the cranes. The fishermen have moved to the old pier, which the town wanted to close this spring."
)


def sign_in(page: Page, user: Any) -> None:
    """Sign in by the page that everybody sees first."""
    # The site does not know the hasher that makes the suite fast.
    user.password = PBKDF2PasswordHasher().encode(PASSWORD, "not a secret")
    user.save()
    page.goto("/")
    page.get_by_label("Username").fill(user.get_username())
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_label("Message", exact=True)).to_be_visible()
    page.wait_for_load_state()


def send(page: Page, text: str) -> Locator:
    """Type and send; gives the new answer."""
    count = page.locator(".reply").count()
    page.get_by_label("Message", exact=True).fill(text)
    page.keyboard.press("Enter")
    reply = page.locator(".reply").nth(count)
    expect(reply).to_be_attached()
    return reply


def ask(page: Page, text: str) -> Locator:
    """Send to the generative route, whatever the router would make of it."""
    page.locator("#composer").get_by_text("Chat", exact=True).click()
    return send(page, text)


def begin_anew(page: Page) -> None:
    """Leave for a new conversation, and be there."""
    page.get_by_role("link", name="New conversation").click()
    expect(page.locator(".welcome")).to_be_visible()


def finish(reply: Locator, status: str = "done") -> Locator:
    """Wait for the end of an answer."""
    expect(reply).to_have_attribute("data-status", status)
    return reply


def answer(reply: Locator) -> Locator:
    return reply.locator(".answer")


def assert_from_letter(summary: Locator) -> None:
    """An extractive summary of the letter consists of its sentences."""
    sentences = [sentence.strip(" .") for sentence in summary.inner_text().split(". ")]
    assert sentences
    assert all(sentence in LETTER for sentence in sentences)
