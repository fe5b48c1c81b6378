"""An answer that is still being written: each finished block rendered once, and in the end the same as the whole."""

import pytest
from django.utils.safestring import SafeString
from hypothesis import given, settings
from hypothesis import strategies as st

from chatsite.chat.rendering import Block, BlockRenderer, render
from chatsite.chat.rendering.markdown import Parts

WORDS = st.lists(
    st.sampled_from(
        ["one", "two.", "*three*", "**four**", "`five`", "[six](https://a.example)", "<seven>", "ä", "👩‍👧", "8"]
    ),
    min_size=1,
    max_size=8,
).map(" ".join)
LINES = st.lists(WORDS, min_size=1, max_size=3)
CODE = st.lists(
    st.sampled_from(["x = 1", "", "# no heading", "- no item", "    indented", "| no | table |", "~~~"]), max_size=6
)

paragraphs = LINES.map("\n".join)
headings = st.tuples(st.integers(1, 6), WORDS).map(lambda given: f"{'#' * given[0]} {given[1]}")
underlined = WORDS.map(lambda words: f"{words}\n---")
fences = st.tuples(st.sampled_from(["", "python", "text"]), CODE).map(
    lambda given: "\n".join([f"```{given[0]}", *given[1], "```"])
)
indented = LINES.map(lambda lines: "\n".join(f"    {line}" for line in lines))
quotes = LINES.map(lambda lines: "\n".join(f"> {line}" for line in lines))
formulas = st.tuples(st.sampled_from(["$$\n{}\n$$", "\\[\n{}\n\\]", "So:\n$$\n{}\n$$\nThen", "$$ {} $$"]), CODE).map(
    lambda given: given[0].replace("{}", "\n".join(given[1]))
)
rules = st.sampled_from(["***", "- - -", "___"])
tables = LINES.map(lambda rows: "\n".join(["| a | b |", "|---|--:|", *(f"| {row} | 1 |" for row in rows)]))


@st.composite
def lists(draw: st.DrawFn) -> str:
    """Bullets or numbers, tight or loose, with paragraphs, lists and code inside."""
    is_numbered, gap = draw(st.booleans()), draw(st.sampled_from(["\n", "\n\n"]))
    items = []
    for number, words in enumerate(draw(LINES), 1):
        marker = f"{number}. " if is_numbered else "- "
        inside = draw(st.sampled_from(["", "\n\nmore", "\n- nested\n- again", "\n```python\n# no heading\n\nx\n```"]))
        items.append(marker + f"{words}{inside}".replace("\n", "\n" + " " * len(marker)))
    return gap.join(items)


any_block = st.one_of(paragraphs, headings, underlined, fences, indented, quotes, rules, tables, formulas, lists())
documents = st.lists(any_block, min_size=1, max_size=7).map("\n\n".join)


def stream(text: str, sizes: list[int]) -> tuple[list[Block], BlockRenderer]:
    renderer, finished, start = BlockRenderer(), [], 0
    while start < len(text):
        size = sizes[start % len(sizes)]
        finished += renderer.feed(text[start : start + size])
        start += size
    return finished, renderer


@settings(max_examples=300, deadline=None)
@given(documents, st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_blocks_and_tail_are_the_whole_answer_however_it_arrives(text: str, sizes: list[int]) -> None:
    finished, renderer = stream(text, sizes)
    assert renderer.length == len(text)
    assert renderer.html == "".join(block.html for block in finished)
    assert renderer.html + render(renderer.tail) == render(text)


@settings(max_examples=100, deadline=None)
@given(documents, st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_each_block_says_how_much_of_the_text_it_covers(text: str, sizes: list[int]) -> None:
    finished, renderer = stream(text, sizes)
    places = [0, *(block.upto for block in finished)]
    assert places == sorted(set(places))
    assert text[places[-1] :].lstrip("\n") == renderer.tail.lstrip("\n")


def test_a_block_is_finished_as_soon_as_the_next_begins() -> None:
    renderer = BlockRenderer()
    assert renderer.feed("First.\n\n") == []
    (block,) = renderer.feed("S")
    assert block == Block(render("First."), len("First.\n\n"))
    assert renderer.tail == "S"


def test_a_list_is_open_until_it_is_clear_that_no_item_follows() -> None:
    for beginning in ("-", "- ", "1", "12", "  "):
        renderer = BlockRenderer()
        renderer.feed("- one\n\n" if beginning[0] in "- " else "1. one\n\n")
        assert renderer.feed(beginning) == [], beginning
    for beginning in ("T", "-T", "12T", "1. ", "> "):
        renderer = BlockRenderer()
        renderer.feed("- one\n\n")
        assert len(renderer.feed(beginning)) == 1, beginning


def test_a_code_block_is_finished_by_its_closing_fence() -> None:
    renderer = BlockRenderer()
    assert renderer.feed("```\n\n# no heading\n\n") == []
    (block,) = renderer.feed("```\n")
    assert "# no heading" in block.html
    assert renderer.tail == ""


def test_a_heading_a_fence_and_a_list_end_a_paragraph_without_a_blank_line() -> None:
    finished, _ = stream("Text:\n# Heading\nText:\n```\ncode\n```\nText:\n- item\n", [100])
    assert len(finished) == 5


def test_a_tag_that_is_split_over_deltas_is_still_text() -> None:
    finished, renderer = stream("a <scr" + "ipt>alert(1)</script>\n\nb\n", [1])
    assert "<script" not in renderer.html
    assert "&lt;script&gt;" in finished[0].html


def test_a_link_defined_earlier_works_in_later_blocks() -> None:
    finished, _ = stream("[a]: https://a.example\n\nSee [a].\n\nEnd.\n", [3])
    assert 'href="https://a.example"' in finished[0].html


def test_footnotes_are_listed_with_the_whole_answer() -> None:
    text = "[^1]: A note.\n\nOne[^1].\n\nTwo[^1].\n\nEnd.\n\n"
    finished, renderer = stream(text, [3])
    assert "A note." not in renderer.html
    assert [block.html.count("#fn") for block in finished] == [1, 1]
    assert render(text).count("A note.") == 1


def test_positions_count_code_points() -> None:
    finished, _ = stream("👩‍👩‍👧 😀\n\nnext\n", [1])
    assert finished[0].upto == len("👩‍👩‍👧 😀\n\n")


def test_each_part_of_a_long_answer_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = []
    parse = Parts.render

    def watched(parts: Parts, text: str) -> SafeString:
        parsed.append(text)
        return parse(parts, text)

    monkeypatch.setattr(Parts, "render", watched)
    text = "Look:\n\n```python\n" + "x = 1\n\n# a comment\n- y\n" * 500 + "```\n\n" + "A paragraph.\n\n" * 200
    _, renderer = stream(text, [3])
    assert "".join(parsed) + renderer.tail == text
