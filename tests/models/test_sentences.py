"""Splitting whatever people paste into sentences."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.sentences import MAX_CHARACTERS, split


def texts(text: str) -> list[str]:
    return [sentence.text for sentence in split(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dr. Smith paid $3.50 for it. Was it good? Yes!", ["Dr. Smith paid $3.50 for it.", "Was it good?", "Yes!"]),
        (
            "Am 3. Mai kam z. B. Dr. Weber zu uns. Er ist nicht mit dem Hund gekommen.",
            ["Am 3. Mai kam z. B. Dr. Weber zu uns.", "Er ist nicht mit dem Hund gekommen."],
        ),
        ("今日は天気がいい。公園に行きます。", ["今日は天気がいい。", "公園に行きます。"]),
        ("यह पहला है। यह दूसरा है।", ["यह पहला है।", "यह दूसरा है।"]),
    ],
)
def test_prose_is_split_in_any_language(text: str, expected: list[str]) -> None:
    assert texts(text) == expected


def test_a_line_break_within_a_sentence_is_no_boundary() -> None:
    mail = (
        "The boiler in block C failed on Sunday night and again\non Tuesday, when the pump was replaced. It works now."
    )
    assert texts(mail) == [
        "The boiler in block C failed on Sunday night and again on Tuesday, when the pump was replaced.",
        "It works now.",
    ]


def test_a_number_that_belongs_to_the_sentence_begins_no_list() -> None:
    licence = (
        "This work is released under this licence and any conditions added under section\n"
        "    7.  This requirement modifies the one in section 4."
    )
    assert texts(licence)[0].endswith("added under section 7.")


def test_words_before_a_colon_are_no_speaker_in_the_middle_of_a_sentence() -> None:
    assert texts(
        "You have certain responsibilities if you distribute copies of it, or if\n"
        "you modify it: responsibilities to respect the freedom of others."
    ) == [
        "You have certain responsibilities if you distribute copies of it, or if you modify it: "
        "responsibilities to respect the freedom of others."
    ]


def test_lines_of_a_list_or_a_chat_stay_apart_and_lose_their_marks() -> None:
    assert texts("- milk\n* bread\n2. cheese") == ["milk", "bread", "cheese"]
    assert texts("Ann: hi there\nBen: hello, how are you") == ["Ann: hi there", "Ben: hello, how are you"]


def test_code_and_tables_and_headings_are_no_prose() -> None:
    sentences = split("# Title\nText here.\n```py\nx = 1\n```\n| a | b |\n|---|---|\nMore text.")
    assert [sentence.text for sentence in sentences if sentence.is_prose] == ["Text here.", "More text."]


@pytest.mark.parametrize("text", ["x" * 5000, "word " * 2000, "and so on, " * 500, "字" * 3000, "“" * 30_000])
def test_an_endless_sentence_comes_in_pieces(text: str) -> None:
    assert max(map(len, texts(text))) <= MAX_CHARACTERS
    assert "".join("".join(texts(text)).split()) == "".join(text.split())


@given(st.text(alphabet="éß字 .!?,;\n\n-*#>|\t:`", max_size=200))
def test_no_letter_is_lost_and_none_changes_its_place(text: str) -> None:
    assert re.sub(r"[^éß字]", "", "".join(texts(text))) == re.sub(r"[^éß字]", "", text)
