"""The embedded models on real MiniLM weights: summaries are the text's own sentences, every label gets a score."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers import encoder, prompts
from workers.backends.base import Backend, Cancellation, Outcome, Run
from workers.backends.extractive import ExtractiveBackend
from workers.backends.zero_shot import ZeroShotBackend
from workers.errors import ContextTooLongError, InputError

STORY = (
    "The harbour was closed on Monday after a storm had torn two cranes from their rails. Repairs will take a week. "
    "Ships wait outside, and the shops run out of fruit. The mayor says that nobody was hurt. "
    "The insurance of the port pays for the cranes. Fishermen complained that nobody warned them in time. "
    "A new pier had been planned for years, but the money was never found. The council meets on Thursday."
)
HISTORY = [{"role": "user", "content": "What happened?"}, {"role": "assistant", "content": STORY}]


def run(backend: Backend, role: str, message: str, history: Any = (), **fields: Any) -> tuple[str, Outcome]:
    """The answer to a message, the way the product gets it: prompt first, then the backend."""
    prompt = prompts.build(role, message=message, history=history, context_window=0, max_output_tokens=512, **fields)
    deltas = backend.stream(Run(role=role, prompt=prompt.messages, options=prompt.options), Cancellation())
    pieces = []
    while True:
        try:
            pieces.append(next(deltas))
        except StopIteration as end:
            return "".join(pieces), end.value


def summary(message: str, history: Any = ()) -> str:
    return run(ExtractiveBackend(), "summarise", message, history)[0]


def scores(message: str, **fields: Any) -> dict[str, float]:
    _, outcome = run(ZeroShotBackend(), "classify", message, **fields)
    return {entry["label"]: entry["score"] for entry in outcome.result["scores"]}


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text(max_size=200), max_size=5))
def test_any_text_becomes_unit_vectors(texts: list[str]) -> None:
    vectors = encoder.encode(texts)
    assert vectors.shape == (len(texts), 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)


@pytest.mark.parametrize(
    ("instruction", "sentences"), [("Summarise in one sentence", 1), ("Fass das in zwei Sätzen zusammen", 2)]
)
def test_a_summary_has_the_wished_length_and_only_the_texts_words(instruction: str, sentences: int) -> None:
    text = summary(f"{instruction}:\n\n{STORY}")
    assert text.strip() in STORY or all(part.strip() in STORY for part in text.split(". "))
    assert text.count(".") == sentences


def test_bullet_points_are_a_list_in_the_texts_order() -> None:
    lines = summary(f"{STORY}\n\nGive me three bullet points").strip().splitlines()
    assert [line[:2] for line in lines] == ["- "] * 3
    places = [STORY.index(line[2:].strip()) for line in lines]
    assert places == sorted(places)


@pytest.mark.parametrize("message", ["tl;dr of your last answer in one sentence", "sum up the above in one sentence"])
def test_a_reference_gets_what_it_refers_to(message: str) -> None:
    assert summary(message, HISTORY).strip() in STORY


def test_nothing_to_summarise_is_said() -> None:
    with pytest.raises(InputError) as caught:
        summary("please summarise")
    assert caught.value.code == "nothing_to_summarise"


def test_one_sentence_comes_back_as_it_is() -> None:
    assert "The harbour was closed on Monday after a storm." in summary(
        "Summarise: The harbour was closed on Monday after a storm."
    )


def test_a_long_text_is_read_to_its_end() -> None:
    filler = " ".join(
        f"The {number}th delivery arrived on time and nobody complained about it." for number in range(3000)
    )
    _, outcome = run(ExtractiveBackend(), "summarise", f"Summarise in three sentences:\n\n{filler}")
    assert outcome.result["sentences"] == 3000


@pytest.mark.parametrize(
    ("message", "best"),
    [
        ("is this spam or not spam: you have won a million dollars, click here to claim your prize", "spam"),
        ("classify as billing, technical, other: I was charged twice for my subscription", "billing"),
        ("positive or negative? I loved every minute of this film", "positive"),
    ],
)
def test_every_label_of_the_message_gets_a_score(message: str, best: str) -> None:
    found = scores(message)
    assert len(found) >= 2
    assert next(iter(found)) == best
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert sum(found.values()) == pytest.approx(1, abs=0.01)


def test_examples_teach_a_route_its_labels() -> None:
    labels = [
        {"name": "A7", "examples": ["The bike chain is broken", "My bicycle has a flat tyre"]},
        {"name": "B2", "examples": ["The oven does not get hot", "My fridge is warm"]},
    ]
    assert next(iter(scores("The brakes of my bicycle squeak", labels=labels))) == "A7"


def test_several_things_are_classified_one_by_one() -> None:
    _, outcome = run(ZeroShotBackend(), "classify", "Identify which is fruit or vegetable: apple, carrot, cherry")
    assert [item["text"] for item in outcome.result["items"]] == ["apple", "carrot", "cherry"]


def test_a_text_that_fits_no_label_is_said_to() -> None:
    text, outcome = run(ZeroShotBackend(), "classify", "classify as chemistry, football: mmmh xqzt 93 lorem")
    assert not outcome.result["fits"]
    assert "fits" in text


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("Classify. Labels: billing. I was charged twice on my card", "one_label"),
        ("classify this: I was charged twice", "no_labels"),
        ("spam or not spam?", "nothing_to_classify"),
    ],
)
def test_what_is_missing_is_named(message: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        scores(message)
    assert caught.value.code == code


def test_the_oldest_messages_give_way_in_a_conversation() -> None:
    history = [{"role": role, "content": "word " * 300} for _ in range(20) for role in ("user", "assistant")]
    prompt = prompts.build("generate", message="And now?", history=history, context_window=2048, max_output_tokens=512)
    assert prompt.messages[-1]["content"] == "And now?"
    assert 2 < len(prompt.messages) < 12
    assert prompt.messages[1]["role"] == "user"


def test_a_message_is_condensed_to_what_the_model_takes_and_refused_where_that_is_next_to_nothing() -> None:
    prompt = prompts.build("generate", message="word " * 5000, context_window=1024, max_output_tokens=512)
    assert 0 < prompt.share < 0.1
    with pytest.raises(ContextTooLongError):
        prompts.build("generate", message="word " * 5000, context_window=128, max_output_tokens=512)
