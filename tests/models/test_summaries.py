"""Extractive summaries by the real MiniLM."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.models.passages import CHINESE, FERRY, GARDEN
from workers.backends.base import Cancellation, Outcome, Run
from workers.backends.extractive import ALREADY_SHORT, MAX_CANDIDATES, ExtractiveBackend, summarise
from workers.errors import InputError
from workers.prompts.wording import word_count

TEXT = " ".join(FERRY)


def answer(text: str, **options: Any) -> tuple[str, Outcome]:
    """What a person reads, and how the run ended."""
    deltas = ExtractiveBackend().stream(Run("summarise", [{"role": "user", "content": text}], options), Cancellation())
    pieces = []
    while True:
        try:
            pieces.append(next(deltas))
        except StopIteration as end:
            return "".join(pieces), end.value


def test_it_gives_a_few_of_the_sentences_and_says_of_how_many() -> None:
    text, outcome = answer(TEXT)
    assert outcome.result == {"sentences": 12, "chosen": 3}
    assert sum(sentence in text for sentence in FERRY) == 3
    assert outcome.prompt_tokens
    assert outcome.completion_tokens
    assert outcome.completion_tokens < outcome.prompt_tokens


@settings(max_examples=12, deadline=None)
@given(
    st.permutations(FERRY + GARDEN),
    st.fixed_dictionaries(
        {},
        optional={"sentences": st.integers(1, 20), "words": st.integers(5, 120), "share": st.sampled_from([0.2, 0.5])},
    ),
)
def test_sentences_stay_as_they_are_and_in_their_order(sentences: list[str], wish: dict[str, Any]) -> None:
    chosen = summarise(" ".join(sentences), wish).sentences
    whole = [sentence for sentence in chosen if not sentence.endswith(" …")]
    assert [sentence for sentence in sentences if sentence in whole] == whole
    assert all(any(other.startswith(cut.removesuffix(" …")) for other in sentences) for cut in set(chosen) - set(whole))


@pytest.mark.parametrize("count", [1, 2, 5, 30])
def test_it_keeps_to_a_number_of_sentences(count: int) -> None:
    assert len(summarise(TEXT, {"sentences": count}).sentences) == min(count, len(FERRY))


@pytest.mark.parametrize("words", [3, 12, 40, 75])
def test_it_keeps_to_a_number_of_words(words: int) -> None:
    chosen = summarise(TEXT, {"words": words}).sentences
    assert 0 < sum(map(word_count, chosen)) <= words


def test_it_keeps_to_a_share_of_the_length() -> None:
    chosen = summarise(TEXT, {"share": 1 / 3}).sentences
    assert 0.2 < sum(map(word_count, chosen)) / word_count(TEXT) <= 1 / 3


def test_bullets_are_a_list() -> None:
    text, _ = answer(TEXT, form="bullets", bullets=4)
    assert [line[:2] for line in text.split("\n")] == ["- "] * 4


def test_a_headline_is_one_short_line_without_a_full_stop() -> None:
    text, _ = answer(TEXT, form="headline")
    assert "\n" not in text
    assert word_count(text) <= 14
    assert not text.endswith(".")


def test_short_is_shorter_and_detailed_longer_than_usual() -> None:
    short, usual, detailed = (
        len(summarise(TEXT, {"length": length}).sentences) for length in ("short", "", "detailed")
    )
    assert short < usual < detailed


def test_what_was_asked_about_is_in_it() -> None:
    assert FERRY[9] in summarise(TEXT, {"sentences": 2, "focus": "engineers cracks hull"}).sentences
    assert FERRY[6] in summarise(TEXT, {"sentences": 2, "focus": "brass band"}).sentences
    assert not {FERRY[9], FERRY[6]} & set(summarise(TEXT, {"sentences": 2}).sentences)


def test_a_longer_text_gets_a_longer_summary() -> None:
    numbered = " ".join(f"{sentence[:-1]}, as item {number} says." for number in range(10) for sentence in FERRY)
    assert len(summarise(numbered, {}).sentences) > len(summarise(TEXT, {}).sentences)


def test_a_single_sentence_comes_back_with_a_kind_word() -> None:
    text, outcome = answer(FERRY[0])
    assert text == f"{FERRY[0]}\n\n{ALREADY_SHORT}"
    assert outcome.result == {"sentences": 1, "chosen": 1}


def test_two_sentences_are_shortened_unless_both_are_wanted() -> None:
    two = " ".join(FERRY[:2])
    assert answer(two)[0] in FERRY[:2]
    assert ALREADY_SHORT in answer(two, sentences=2)[0]


def test_languages_without_spaces_are_summarised() -> None:
    text, outcome = answer(CHINESE)
    assert outcome.result["chosen"] < outcome.result["sentences"] == 4
    assert text in CHINESE or all(part in CHINESE for part in text.split("。") if part)


def test_headings_code_and_tables_come_last() -> None:
    text = f"# Ferry service\n\n{TEXT}\n\n```\nprint('hello world')\n```\n\n| year | guests |\n|---|---|\n"
    assert all(sentence in FERRY for sentence in summarise(text, {"sentences": 12}).sentences)


def test_a_text_of_nothing_else_is_summarised_all_the_same() -> None:
    lines = "ERROR db refused\nERROR db refused\nWARN pool exhausted\nERROR cart timed out"
    text, _ = answer(lines, sentences=2)
    assert [line.removeprefix("- ") in lines for line in text.split("\n")] == [True, True]


def test_repeated_sentences_are_chosen_once() -> None:
    chosen = summarise(" ".join(FERRY * 3), {"sentences": 12}).sentences
    assert len(set(chosen)) == 12


def test_the_names_of_speakers_are_no_part_of_a_summary() -> None:
    conversation = f"User:\n{FERRY[0]}\n\nAssistant:\n{FERRY[2]} {FERRY[3]}"
    assert set(summarise(conversation, {"sentences": 3}).sentences) == {FERRY[0], FERRY[2], FERRY[3]}


def test_every_part_of_a_very_long_text_has_its_chance() -> None:
    filler = [
        f"Entry {number} of the log book notes wind and rain on deck {number % 7}."
        for number in range(3 * MAX_CANDIDATES)
    ]
    filler[-100] = "The captain confessed that he had hidden the stolen painting in the engine room."
    chosen = summarise(" ".join(filler), {"focus": "captain stolen painting engine room", "sentences": 3}).sentences
    assert filler[-100] in chosen


def test_special_characters_are_shown_not_obeyed() -> None:
    text, _ = answer("The <script> tag and *stars* are not markup in this text here. " + TEXT, sentences=13)
    assert r"The \<script> tag and \*stars\* are not markup" in text


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=300))
def test_any_text_gets_a_summary_or_a_clear_refusal(text: str) -> None:
    try:
        summary = summarise(text, {})
    except InputError as error:
        assert error.code == "nothing_to_summarise"  # noqa: PT017  (whether it raises depends on the text)
        assert not any(char.isalnum() for char in text)
    else:
        assert summary.sentences


def test_it_stops_when_asked_to() -> None:
    cancellation = Cancellation()
    cancellation.set()
    assert summarise(TEXT, {}, cancellation).sentences == ()
    deltas = ExtractiveBackend().stream(Run("summarise", [{"role": "user", "content": TEXT}]), cancellation)
    assert list(deltas) == []
