"""What a chat model is given of a conversation."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers import prompts
from workers.errors import ContextTooLongError
from workers.prompts.generate import estimated_tokens

HISTORY = [
    {"role": role, "content": f"{role} says {number} " + "word " * 60}
    for number in range(20)
    for role in ("user", "assistant")
]


def test_the_template_the_conversation_and_the_message_follow_each_other() -> None:
    prompt = prompts.build("generate", "And now?", HISTORY[:2], template="Be brief.")
    assert prompt.messages == [
        {"role": "system", "content": "Be brief."},
        *HISTORY[:2],
        {"role": "user", "content": "And now?"},
    ]
    assert prompt.options == {}


def test_without_a_template_the_default_is_used() -> None:
    assert prompts.build("generate", "Hello").messages[0]["role"] == "system"


@given(st.integers(300, 8000), st.integers(1, 4000))
def test_the_oldest_messages_give_way(context_window: int, max_output_tokens: int) -> None:
    prompt = prompts.build(
        "generate", "And now?", HISTORY, context_window=context_window, max_output_tokens=max_output_tokens
    )
    kept = prompt.messages[1:-1]
    assert kept == HISTORY[len(HISTORY) - len(kept) :]
    assert not kept or kept[0]["role"] == "user"
    assert sum(map(estimated_tokens, prompt.messages)) <= context_window - min(max_output_tokens, context_window // 2)


def test_a_message_that_does_not_fit_by_itself_is_condensed_between_its_beginning_and_its_end() -> None:
    text = "What does it say? " + "Some sentence of no interest at all. " * 900 + "Answer in French."
    prompt = prompts.build("generate", text, context_window=2048)
    content = prompt.messages[-1]["content"]
    assert content.startswith("What does it say?")
    assert content.endswith("Answer in French.")
    assert sum(map(estimated_tokens, prompt.messages)) <= 1024
    assert 0 < prompt.share < 0.2


def test_where_there_is_no_room_at_all_a_message_is_refused() -> None:
    with pytest.raises(ContextTooLongError):
        prompts.build("generate", "word " * 3000, template="Be brief. " * 300, context_window=1024)


@pytest.mark.parametrize(
    ("text", "tokens"),  # what GPT-4o's vocabulary makes of them
    [
        ("\n".join(f"{n * 7919 % 100_000 / 100},{n * 104_729 % 100_000 / 100},{n}" for n in range(800)), 7999),
        (json.dumps([{"id": n, "x": n * 3.7} for n in range(600)]), 9502),
        ("Вчера вечером поезд снова опоздал, и никто на холодном вокзале не знал почему. " * 5, 111),
    ],
)
def test_numbers_and_other_alphabets_have_more_tokens_for_their_length(text: str, tokens: int) -> None:
    assert tokens <= estimated_tokens({"role": "user", "content": text}) <= 2 * tokens


@pytest.mark.parametrize(
    "text",
    ["An ordinary English sentence with a few words.", "Ein gewöhnlicher deutscher Satz.", "这是一个普通的句子。"],
)
def test_tokens_are_rather_over_than_underestimated(text: str) -> None:
    words = len(text.split()) if text.isascii() or " " in text else len(text)
    assert estimated_tokens({"role": "user", "content": text}) >= words
