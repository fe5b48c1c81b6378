from __future__ import annotations

import json
from contextlib import suppress

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.backends.chat_chunks import AnswerReader
from workers.errors import (
    BackendUnavailableError,
    ContextTooLongError,
    RateLimitedError,
    StreamCutError,
    WorkerError,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["choices", "delta", "content", "finish_reason", "usage", "error", "prompt_tokens"]), inner
        )
    ),
    max_leaves=8,
)


def event(**chunk: object) -> bytes:
    return b"data: " + orjson.dumps(chunk) + b"\n\n"


def batched_pairs(data: bytes) -> list[bytes]:
    return [data[start : start + 2] for start in range(0, len(data), 2)]


def delta(**fields: object) -> bytes:
    return event(choices=[{"index": 0, "delta": fields, "finish_reason": None}])


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.integers(1, 7))
def test_any_text_survives_any_size_of_chunks(text: str, size: int) -> None:
    stream = b"".join(delta(content=character) for character in text)
    answer = AnswerReader("host")
    assert "".join(answer.feed(stream[i : i + size]) for i in range(0, len(stream), size)) == text


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_halves_of_characters_are_put_together(text: str) -> None:
    """As servers send them that write JSON in ASCII, token by token, where a token ends within a character."""
    units = [pair.decode("utf-16-le", "surrogatepass") for pair in batched_pairs(text.encode("utf-16-le"))]
    answer = AnswerReader("host")
    pieces = [{"choices": [{"index": 0, "delta": {"content": unit}}]} for unit in units]
    assert "".join(answer.feed(f"data: {json.dumps(piece)}\n\n".encode()) for piece in pieces) == text


def test_a_half_that_stays_alone_costs_no_more_than_itself() -> None:
    answer = AnswerReader("host")
    half = b'data: {"choices": [{"delta": {"content": "\\ud83d"}}]}\n\n'
    texts = [answer.feed(one) for one in (half, delta(content="!"), half, event(choices=[], usage={}))]
    assert texts == ["", "\ud83d!", "", ""]


@settings(max_examples=50)
@given(json_values)
def test_no_json_breaks_more_than_the_answer(value: object) -> None:
    answer = AnswerReader("host")
    with suppress(WorkerError):
        assert isinstance(answer.feed(b"data: " + orjson.dumps(value) + b"\n\n"), str)


def test_the_usage_comes_with_or_without_choices() -> None:
    for choices in ([], [{"delta": {}, "finish_reason": "stop"}]):
        answer = AnswerReader("host")
        answer.feed(event(choices=choices, usage={"prompt_tokens": 3, "completion_tokens": 4}))
        assert (answer.prompt_tokens, answer.completion_tokens) == (3, 4)


def test_thinking_is_progress_but_not_text() -> None:
    answer = AnswerReader("host")
    assert answer.feed(delta(reasoning_content="hm")) == ""
    assert answer.is_progressing


def test_thinking_and_text_may_come_as_parts_of_the_content() -> None:
    answer = AnswerReader("host")
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    assert answer.feed(delta(content=[thinking])) == ""
    assert answer.is_progressing
    assert answer.feed(delta(content=[thinking, {"type": "text", "text": "a"}, {"type": "text", "text": "b"}])) == "ab"
    for garbage in (["a"], [{"type": "text"}], [{"type": "text", "text": 1}], {"text": "a"}, 1):
        with pytest.raises(StreamCutError):
            AnswerReader("host").feed(delta(content=garbage))


def test_an_empty_first_delta_is_no_progress() -> None:
    answer = AnswerReader("host")
    assert answer.feed(delta(role="assistant", content="")) == ""
    assert not answer.is_progressing


def test_nothing_after_the_end_marker_counts() -> None:
    answer = AnswerReader("host")
    assert answer.feed(delta(content="a") + b"data: [DONE]\n\n" + delta(content="b")) == "a"
    assert answer.has_end_marker


@pytest.mark.parametrize("after", [{"usage": "none"}, {"error": "no usage"}, {"choices": [{"delta": {"content": 1}}]}])
def test_what_is_wrong_after_the_finish_reason_takes_nothing_away(after: dict[str, object]) -> None:
    answer = AnswerReader("host")
    finish = event(choices=[{"delta": {"content": "b"}, "finish_reason": "stop"}])
    assert answer.feed(delta(content="a") + finish + event(**after)) == "ab"
    assert answer.finish_reason == "stop"


def test_a_finish_reason_beside_garbage_ends_nothing() -> None:
    answer = AnswerReader("host")
    with pytest.raises(StreamCutError):
        answer.feed(event(choices=[{"delta": {"content": 1}, "finish_reason": "stop"}]))
    assert not answer.finish_reason


def test_the_first_finish_reason_counts() -> None:
    answer = AnswerReader("host")
    answer.feed(event(choices=[{"delta": {}, "finish_reason": "length"}]))
    answer.feed(event(choices=[{"delta": {}, "finish_reason": "stop"}]))
    assert answer.finish_reason == "length"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"message": "overloaded", "code": 503}, BackendUnavailableError),
        ({"message": "slow down", "code": "429"}, RateLimitedError),
        ({"message": "slow down", "type": "rate_limit_error"}, RateLimitedError),
        ({"message": "the request exceeds the available context size", "code": 400}, ContextTooLongError),
        ("something went wrong", BackendUnavailableError),
    ],
)
def test_an_error_in_the_stream_is_an_error(error: object, expected: type[WorkerError]) -> None:
    with pytest.raises(expected):
        AnswerReader("host").feed(event(error=error))


@pytest.mark.parametrize("garbage", [b"{", b"[1]", b'{"choices": {"0": 1}}', b"\xff", b"[" * 100_000])
def test_garbage_is_an_error(garbage: bytes) -> None:
    with pytest.raises(StreamCutError):
        AnswerReader("host").feed(b"data: " + garbage + b"\n\n")
