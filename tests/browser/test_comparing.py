"""Two answers beside each other, of which one is kept."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.backends.fake_provider import FakeProvider
from tests.browser.conftest import OpenPage
from tests.browser.steps import answer, ask, finish
from tests.conftest import Connect

pytestmark = [pytest.mark.browser, pytest.mark.processes]


def test_another_model_writes_beside_the_answer_and_one_is_kept(
    page: Page, open_page: OpenPage, alice: Any, connect: Connect, provider: FakeProvider
) -> None:
    connect("tokens3", "gate2-tokens4", "echo")
    finish(ask(page, "One"))
    page.get_by_label("Another route, or compare").click()
    page.get_by_role("button", name="Compare with gate2-tokens4").click()
    first, second = page.locator(".reply").nth(0), page.locator(".reply").nth(1)
    expect(answer(second)).to_have_text("t0 t1")
    expect(second.locator(".why summary")).to_contain_text("gate2-tokens4")
    left, right = first.bounding_box(), second.bounding_box()
    assert left
    assert right
    assert (left["y"], left["x"] < right["x"]) == (right["y"], True)
    provider.release()
    expect(answer(finish(second))).to_have_text("t0 t1 t2 t3")
    first.get_by_label("Compare", exact=True).click()
    first.get_by_role("button", name="Compare with echo").click()
    expect(answer(finish(second))).to_have_text("One")
    page.set_viewport_size({"width": 390, "height": 800})
    left, right = first.bounding_box(), second.bounding_box()
    assert left
    assert right
    assert (left["y"] < right["y"], left["x"]) == (True, right["x"])
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    plain = open_page(alice, java_script_enabled=False)
    plain.goto(page.url)
    plain.get_by_role("button", name="Keep this one").last.click()
    for each in (plain, page):
        expect(each.locator(".reply")).to_have_count(1)
        expect(each.locator(".reply .among")).to_have_text("3/3")
        expect(each.locator(".reply .why summary")).to_contain_text("echo")
