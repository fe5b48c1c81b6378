"""What a message waits for, in words: its place in the line, a model that is loaded, another attempt, no worker."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Locator, Page, expect

from chatsite.chat import turns
from router.revisions import publish
from tests.backends.fake_provider import FakeProvider
from tests.browser.steps import answer, ask, finish
from tests.conftest import Connect
from workers import stream
from workers.events import Kind
from workers.models import Completion, Model

pytestmark = [pytest.mark.browser, pytest.mark.processes]


NOBODY = "No worker serves this model yet; your message is kept and will be answered when one starts."


def said(reply: Locator) -> Locator:
    """The one line of a reply that says what it waits for."""
    return reply.locator(".state [data-when]:visible")


def test_who_waits_is_told_their_place_and_how_long(
    page: Page, alice: Any, connect: Connect, provider: FakeProvider
) -> None:
    connect("gate-tokens2")
    for number in range(5):
        turns.submit(alice, text=f"Question {number}", wanted_route="generate")
    reply = ask(page, "And mine?")
    place = re.compile(r"^(Next|2nd|3rd|4th|5th) in line( · about \d+ (seconds?|minutes?))?$")
    expect(said(reply)).to_have_text(place)
    page.reload()
    expect(said(reply)).to_have_text(place)
    provider.release()
    finish(reply)
    expect(reply.locator(".state")).to_have_count(0)


def test_a_model_that_is_loaded_and_a_second_attempt_are_told(
    page: Page, connect: Connect, provider: FakeProvider
) -> None:
    connect("gate-tokens2")
    reply = ask(page, "Count please")
    expect(said(reply)).to_have_text("Writing…")
    reply_id = UUID(reply.get_attribute("data-reply"))
    provider.wait_for_requests(1)
    stream.append(reply_id, 2, Kind.STARTED, {"model": "gate-tokens2"})
    expect(said(reply)).to_have_text("The first attempt broke off. Second attempt…")
    stream.append(reply_id, 2, Kind.LOADING, {"model": "gate-tokens2"})
    expect(said(reply)).to_have_text("Loading the model…")
    page.reload()
    expect(said(reply)).to_have_text("Loading the model…")
    stream.append(reply_id, 2, Kind.LOADED, {})
    expect(said(reply)).to_have_text("The first attempt broke off. Second attempt…")
    provider.release()


def test_while_no_worker_serves_the_model_that_is_said_and_it_can_be_stopped(page: Page, connect: Connect) -> None:
    connect("tokens2")
    Model.objects.filter(name="tokens2").update(worker_group="far-away")
    publish(None)
    reply = ask(page, "Count please")
    expect(said(reply)).to_have_text(NOBODY)
    page.get_by_label("Stop the answer").click()
    expect(finish(reply, "cancelled").locator(".ended")).to_have_text("Stopped.")


def test_while_nobody_can_take_over_from_a_worker_that_died_that_is_said(page: Page, connect: Connect) -> None:
    connect("gate3-tokens8")
    reply = ask(page, "Count please")
    expect(answer(reply)).to_have_text("t0 t1 t2")
    Model.objects.filter(name="gate3-tokens8").update(worker_group="far-away")
    Completion.objects.update(status="queued", attempt=2, started_at=None)
    for _ in range(2):
        expect(said(reply)).to_have_text(NOBODY)
        expect(answer(reply)).to_have_text("t0 t1 t2")
        page.reload()


def test_a_message_without_labels_is_answered_by_another_route_or_gets_its_labels(page: Page, connect: Connect) -> None:
    connect("tokens2")
    trouble = finish(ask_to_classify(page, "Classify this: The app crashes on my phone."), "failed").locator(".trouble")
    expect(trouble.get_by_role("heading")).to_have_text("Which labels?")
    page.get_by_label("Message", exact=True).fill("billing, technical, other")
    page.keyboard.press("Enter")
    labelled = finish(page.locator(".reply").nth(1))
    expect(answer(labelled)).to_contain_text("technical")
    trouble.get_by_role("button", name="Chat", exact=True).click()
    expect(answer(finish(page.locator(".reply").first))).to_have_text("t0 t1")
    expect(page.locator(".reply .among")).to_have_text("2/2")


def ask_to_classify(page: Page, text: str) -> Locator:
    page.get_by_label("Message", exact=True).fill(text)
    page.keyboard.press("Enter")
    return page.locator(".reply").first
