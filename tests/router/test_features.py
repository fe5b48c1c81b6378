"""What is read of a message: bounded, of any language, the same on every machine."""

import numpy as np
import pytest

from router.features import BUCKETS, DIMENSIONS, SHAPE, excerpt, read, shape, vectorise, word_indices


def test_the_vector_of_a_message_never_changes() -> None:
    """These numbers are what stored classifiers were fitted with; if they change, VERSION has to."""
    vector = vectorise("Is it spam? Привет", "Yes.")
    assert len(vector.indices) == 151
    assert int(vector.indices[: -len(SHAPE)].sum()) == 16_360_192
    assert float(vector.values.sum()) == pytest.approx(20.8779, abs=0.0001)


def test_a_long_message_is_read_at_both_ends_only() -> None:
    long = "Summarise this for me.\n" + "word " * 50_000 + "\nThanks in advance."
    longer = "Summarise this for me.\n" + "word " * 90_000 + "\nThanks in advance."
    assert read(long) == read(longer)
    assert read(long).sentences == ("summarise this for me.", "thanks in advance.")
    assert len(vectorise(long).indices) < 1000


def test_an_endless_word_is_read_in_part() -> None:
    assert len("".join(read("x" * 1_000_000).window)) <= 800
    assert len(excerpt("日" * 1_000_000)) < 400


def test_the_sentence_before_a_paste_is_found() -> None:
    assert read("Is this urgent? The server is down. It burns.").sentences == ("is this urgent?", "it burns.")
    assert read("这是垃圾邮件吗？你中奖了。").sentences == ("这是垃圾邮件吗?", "你中奖了。")
    assert read('"A quoted text." \n\n---\n\nTL;DR').sentences[1] == "tl;dr"


def test_a_short_message_is_embedded_whole_and_a_long_one_at_its_ends() -> None:
    assert excerpt(" what is a comet? ") == "what is a comet?"
    assert excerpt("first " + "word " * 1000 + "last").startswith("first word")
    assert excerpt("first " + "word " * 1000 + "last").endswith("word last")


@pytest.mark.parametrize("text", ["", " ", "😀", "\ud800", "\x00", "?!", "\n\n\n", "a", "नमस्ते", "e\u0301"])
def test_any_string_has_a_vector(text: str) -> None:
    vector = vectorise(text, text)
    assert np.isfinite(vector.values).all()
    assert (np.diff(vector.indices) > 0).all()
    assert vector.indices[-1] == DIMENSIONS - 1


def test_indices_of_words_are_indices_of_the_vector() -> None:
    text = "Summarise the report, please. Thanks a lot for the quick help!"
    indices = set(vectorise(text).indices.tolist())
    found = word_indices(text)
    assert {"summarise", "report", "thanks"} <= set(found)
    assert all(set(places) <= indices and max(places) < BUCKETS for places in found.values())


def test_shape_tells_a_question_below_a_paste_from_a_greeting() -> None:
    pasted, greeting = shape("Lorem ipsum. " * 40 + "\n\nWho wrote this?"), shape("hi")
    assert pasted["last_line_asks"] == pasted["last_paragraph_is_short"] == pasted["is_long"] == 1
    assert greeting["is_tiny"] == 1
    assert tuple(pasted) == tuple(SHAPE)
