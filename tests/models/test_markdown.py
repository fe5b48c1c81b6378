"""Plain text that Markdown shows as it is."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from workers import markdown

RENDERER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def shown(source: str) -> str:
    """The text that a reader sees."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", RENDERER.render(source))).split())


@given(st.text(alphabet="ab 1.)-+*_`~[]()<>#&;:!\\|xX^=/\"'é中?", max_size=24))
@example("1986. It was a very good year")
@example("- [x] done")
def test_the_reader_sees_the_text_alone_and_in_a_list(text: str) -> None:
    expected = " ".join(text.split())
    for source in (markdown.escape(text), f"- {markdown.escape(text)}"):
        rendered = re.sub(r"</?(?:p|ul|li)>\n?", "", RENDERER.render(source))
        assert " ".join(html.unescape(rendered).split()) == expected


@pytest.mark.parametrize("text", ["a | b", "| |", r"a \| b", "<b>", "*x*"])
def test_a_cell_stays_one_cell(text: str) -> None:
    table = f"| {markdown.cell(text)} | end |\n|--|--|"
    assert RENDERER.render(table).count("<th>") == 2
    assert shown(table) == f"{text} end"


def test_ordinary_text_gets_no_backslashes() -> None:
    text = "In 2024, snake_case rose by 5 * 3 = 15 % (see [1] & C#), said A. Smith – “really!”"
    assert markdown.escape(text) == text


def test_control_characters_are_left_out() -> None:
    assert markdown.escape("a\x00b\x1bc\nd") == "abc d"
