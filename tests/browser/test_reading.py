"""An answer that is read: its code and its tables are of use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.steps import answer, ask, finish

pytestmark = [pytest.mark.browser, pytest.mark.processes]

Connect = Callable[..., Any]
OpenPage = Callable[..., Page]

TABLE = """| Name | Value |
|------|------:|
| =HYPERLINK("https://evil.example") | -5 |
| **b** `c` | 1,2 |
| +x | @y |
"""


def test_a_table_leaves_the_page_as_text_markdown_and_csv(open_page: OpenPage, alice: Any, connect: Connect) -> None:
    connect("echo")
    page = open_page(alice, permissions=["clipboard-read", "clipboard-write"])
    page.goto("/")
    table = finish(ask(page, TABLE)).locator(".table")
    table.get_by_role("button", name="Copy", exact=True).click()
    expect(table.locator(".copied")).to_have_count(1)
    assert page.evaluate("() => navigator.clipboard.readText()").splitlines()[2] == "b c\t1,2"
    table.get_by_role("button", name="Markdown").click()
    expect(table.locator(".copied")).to_have_count(2)
    assert page.evaluate("() => navigator.clipboard.readText()").splitlines()[1:4:2] == [
        "| --- | --: |",
        "| **b** `c` | 1,2 |",
    ]
    with page.expect_download() as downloading:
        table.get_by_role("button", name="CSV").click()
    assert downloading.value.suggested_filename == "table.csv"
    content = downloading.value.path().read_text("utf-8-sig").splitlines()
    assert content[0] == "Name,Value"
    # What a spreadsheet would run is text, and a number is a number.
    assert content[1:] == ['"\'=HYPERLINK(""https://evil.example"")",-5', 'b c,"1,2"', "'+x,'@y"]


def test_long_lines_wrap_or_scroll_as_one_likes(page: Page, connect: Connect) -> None:
    connect("echo")
    reply = finish(ask(page, "```python\n" + "x = 1 + " * 60 + "1\n```\n\n```text\nshort\n```"))
    code = reply.locator(".code pre")
    expect(code.first).to_have_attribute("role", "region")
    expect(code.first).to_have_attribute("aria-label", "Code, python")
    expect(code.first).to_have_attribute("tabindex", "0")
    expect(code.last).not_to_have_attribute("tabindex", "0")
    expect(reply.get_by_role("button", name="Wrap lines")).to_have_count(1)
    reply.get_by_role("button", name="Wrap lines").click()
    expect(code.first).not_to_have_attribute("tabindex", "0")
    page.reload()
    expect(code.first).not_to_have_attribute("tabindex", "0")
    assert code.first.evaluate("pre => pre.scrollWidth <= pre.clientWidth")
    reply.get_by_role("button", name="Do not wrap").first.click()
    expect(code.first).to_have_attribute("tabindex", "0")


def test_formulas_and_footnotes_are_shown(page: Page, connect: Connect) -> None:
    connect("echo")
    reply = finish(ask(page, "So $x^2$[^1] costs $5 and $6.\n\n$$\n\\frac{1}{2}\n$$\n\n[^1]: A *note*."))
    for _ in ("streamed", "reloaded"):
        expect(answer(reply).locator("math")).to_have_count(2)
        expect(answer(reply)).to_contain_text("costs $5 and $6.")
        expect(answer(reply).locator(".footnotes li")).to_contain_text("A note.")
        page.reload()
    answer(reply).get_by_role("link", name="Footnote 1").click()
    expect(answer(reply).locator(".footnotes li:target")).to_be_in_viewport()
    expect(answer(reply)).to_contain_text("costs $5 and $6.")
