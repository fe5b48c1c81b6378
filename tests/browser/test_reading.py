"""An answer that is read while it is written: what is shown stays where it is; code and tables are of use."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.steps import answer, ask, finish
from tests.browser.writing import WrittenAnswer, begin_answer
from tests.conftest import Connect

pytestmark = [pytest.mark.browser, pytest.mark.processes]


EVERYTHING = r"""# A heading

A paragraph with **bold**, *emphasis*, `code`, a [link](https://a.example/b), ~~nothing~~
and a second line that is part of it, long enough to go over the end of the first one.

- one
- two with `code`
  - nested
  - again
- three

1. first

   with a paragraph of its own

2. second

- [x] done
- [ ] to do

| Name | Count |
|:-----|------:|
| a    | 1     |
| b **bold** | 22 |

```python
def f(x):
    return x + 1
```

> Somebody said *this*,
> and that.

So we have $x^2$ and

$$
\frac{1}{2} \sum_{i=0}^n i
$$

## Another heading
With text, and *more* text.

    indented code

The end, and **nothing** after it.
"""

# Looks at every picture that the browser draws. A finished block must stay where it is and as high as it is; the
# block that was open may become as much higher or lower as a line is, since its last line may break elsewhere.
WATCH = """() => {
  window.jumps = [];
  const seen = [];
  let openHeight = 0;
  let finished = 0;
  const blocksOf = (shown) => [...(shown.querySelector(".done") ?? shown).children];
  const look = () => {
    const shown = document.querySelector(".answer");
    const start = shown.getBoundingClientRect().top;
    const blocks = blocksOf(shown);
    blocks.forEach((block, place) => {
      const { top, height } = block.getBoundingClientRect();
      const before = seen[place] ?? { top: top - start, height };
      for (const [what, now] of [["top", top - start], ["height", height]]) {
        if (Math.abs(now - before[what]) <= 1) continue;
        window.jumps.push(`${block.className || block.tagName}: ${what} ${before[what]} to ${now}`);
      }
      seen[place] = before;
    });
    const open = shown.querySelector(".open");
    const isFormula = blocks.at(-1)?.matches(".formula");
    if (blocks.length === finished + 1 && open && !isFormula) {
      const growth = blocks.at(-1).getBoundingClientRect().height - openHeight;
      if (Math.abs(growth) > 30) window.jumps.push(`${blocks.at(-1).outerHTML.slice(0, 60)}: grew by ${growth}`);
    }
    finished = blocks.length;
    openHeight = open?.getBoundingClientRect().height ?? 0;
    requestAnimationFrame(look);
  };
  look();
}"""


@pytest.fixture
def written(page: Page, alice: Any) -> WrittenAnswer:
    return begin_answer(page, alice)


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_that_is_shown_moves_while_more_is_written(page: Page, written: WrittenAnswer, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate(WATCH)
    written.write(EVERYTHING)
    written.finish()
    expect(page.locator(".answer > h3, .answer > .table, .answer > .code, .answer > .formula")).to_have_count(5)
    assert page.evaluate("() => window.jumps") == []


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
