from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workers.backends.token_text import INCOMPLETE, StopText, TokenText


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_model)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 399), max_size=60))
def test_the_deltas_are_the_text_of_all_tokens(tokenizer: Any, tokens: list[int]) -> None:
    reader = TokenText(tokenizer)
    deltas = [reader.add(token) for token in tokens]
    assert "".join(deltas) + reader.finish() == tokenizer.decode(tokens, skip_special_tokens=True)


def test_a_character_of_several_tokens_comes_when_it_is_complete(tokenizer: Any) -> None:
    tokens = tokenizer("a🦉b")["input_ids"]
    assert len(tokens) > 3
    reader = TokenText(tokenizer)
    deltas = [reader.add(token) for token in tokens]
    assert [delta for delta in deltas if delta] == ["a", "🦉", "b"]


def test_words_do_not_wait_for_their_end(tokenizer: Any) -> None:
    tokens = tokenizer("xylophone")["input_ids"]
    reader = TokenText(tokenizer)
    assert all(reader.add(token) for token in tokens)


def test_an_incomplete_character_at_the_end_is_not_lost(tokenizer: Any) -> None:
    reader = TokenText(tokenizer)
    for token in tokenizer("🦉")["input_ids"][:-1]:
        assert reader.add(token) == ""
    assert INCOMPLETE in reader.finish()


@given(st.text("abc", max_size=30), st.lists(st.text("abc", min_size=1, max_size=4), max_size=3), st.integers(1, 5))
def test_the_text_ends_before_the_first_stop_however_it_comes(text: str, stops: list[str], size: int) -> None:
    reader = StopText(stops)
    shown = "".join(reader.add(text[i : i + size]) for i in range(0, len(text), size)) + reader.finish()
    places = [text.find(stop) for stop in stops if stop in text]
    assert reader.is_found == bool(places)
    if size == 1:  # in larger pieces a longer stop may be seen before a shorter one that began later
        assert not any(stop in shown for stop in stops)
    assert text.startswith(shown)
    if not places:
        assert shown == text


def test_without_stops_nothing_is_held_back() -> None:
    assert StopText([]).add("abc") == "abc"
