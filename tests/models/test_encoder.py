"""Sentence embeddings by the real MiniLM."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.encoder import count_tokens, encode


def test_it_gives_one_unit_vector_per_text() -> None:
    vectors = encode(["A cat sleeps.", "Ein Hund bellt.", "A cat sleeps."])
    assert vectors.shape == (3, 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.allclose(vectors[0], vectors[2], atol=1e-5)


def test_texts_of_like_meaning_are_near() -> None:
    dog, puppy, tax = encode(["The dog barks.", "A puppy is barking.", "The tax return is due in May."])
    assert dog @ puppy > 0.6 > 0.2 > dog @ tax


def test_a_text_has_the_same_vector_alone_and_among_others() -> None:
    texts = ["short", "a sentence of middling length with some words", "word " * 400]
    assert np.allclose(encode(texts), np.vstack([encode([text]) for text in texts]), atol=1e-5)


@pytest.mark.parametrize("text", ["", "  \n\t", "\x00\x07\x1b", "😀" * 60, "\ud83d", "a" * 1_000_000, "字" * 5000])
def test_any_string_works(text: str) -> None:
    assert np.isclose(np.linalg.norm(encode([text])), 1, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(max_size=80), max_size=5))
def test_there_is_a_vector_for_whatever_is_written(texts: list[str]) -> None:
    assert encode(texts).shape == (len(texts), 384)
    assert np.isfinite(encode(texts)).all()


def test_a_text_counts_up_to_256_tokens() -> None:
    beginning = "river " * 300
    assert np.allclose(encode([beginning]), encode([beginning + "a quite different ending"]), atol=1e-5)
    assert not np.allclose(encode(["river"]), encode(["river with a quite different ending"]), atol=1e-2)


def test_many_threads_share_one_model() -> None:
    with ThreadPoolExecutor(4) as threads:
        vectors = list(threads.map(lambda _: encode(["the same text"]), range(8)))
    assert all(np.allclose(vectors[0], vector, atol=1e-5) for vector in vectors)


def test_tokens_are_counted_beyond_the_limit_of_the_model() -> None:
    assert count_tokens(["one two three"]) == 3
    assert count_tokens(["one " * 5000, ""]) == 5000
