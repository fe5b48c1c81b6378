"""What an OpenAI-compatible server is sent, and what becomes of its answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.backends.fake_provider import FakeProvider
from tests.backends.reading import read
from workers.backends.base import Cancellation, Run
from workers.backends.openai_compatible import OpenAICompatibleBackend
from workers.errors import ProviderRefusedError

RunOf = Callable[..., Run]
backend = OpenAICompatibleBackend()


def test_the_answer_arrives_whole_with_its_usage(run_of: RunOf) -> None:
    text, outcome = read(backend, run_of("tokens20"))
    assert text == "".join(f"t{number} " for number in range(20))
    assert (outcome.prompt_tokens, outcome.completion_tokens, outcome.was_cut_short) == (7, 5, False)


def test_the_text_comes_while_the_model_still_writes(provider: FakeProvider, run_of: RunOf) -> None:
    deltas = backend.stream(run_of("gate3"), Cancellation())
    first = ""
    while first.count(" ") < 3:
        first += next(deltas)
    provider.release()
    assert first + "".join(deltas) == "t0 t1 t2 t3 t4 "


def test_the_server_gets_the_prompt_the_model_and_the_limit(provider: FakeProvider, run_of: RunOf) -> None:
    prompt = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Größe? 😀"}]
    text, _ = read(backend, run_of("echo", prompt=prompt, max_output_tokens=50))
    assert text == "Größe? 😀"
    assert provider.chats[0].body == {
        "model": "echo",
        "messages": prompt,
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 50,
    }


@pytest.mark.parametrize(
    ("prompt_words", "wanted", "asked"), [(2, 900, 900), (300, 900, 694), (300, 500, 500), (900, 900, 500)]
)
def test_no_more_is_asked_for_than_the_window_has_room_for(
    provider: FakeProvider, run_of: RunOf, prompt_words: int, wanted: int, asked: int
) -> None:
    prompt = [{"role": "user", "content": "and" * prompt_words}]
    read(backend, run_of("tokens1", prompt=prompt, context_window=1000, max_output_tokens=wanted))
    assert provider.chats[0].body["max_tokens"] == asked


def test_sampling_options_are_sent_and_others_are_not(provider: FakeProvider, run_of: RunOf) -> None:
    options = {"temperature": 0.3, "top_p": 0.9, "seed": 1, "stop": "END", "labels": ["a"], "stream": False}
    read(backend, run_of("tokens1", options=options))
    body = provider.chats[0].body
    assert (body["temperature"], body["top_p"], body["seed"], body["stop"]) == (0.3, 0.9, 1, ["END"])
    assert body["stream"] is True
    assert "labels" not in body


def test_characters_cut_apart_by_the_network_arrive_whole(run_of: RunOf) -> None:
    assert read(backend, run_of("multibyte"))[0] == "".join(f"é😀{number} " for number in range(5))


def test_thinking_is_no_part_of_the_answer(run_of: RunOf) -> None:
    assert read(backend, run_of("thinking3-tokens2"))[0] == "t0 t1 "


def test_an_answer_at_the_output_limit_is_cut_short(run_of: RunOf) -> None:
    assert read(backend, run_of("length"))[1].was_cut_short


def test_an_answer_is_complete_without_its_usage_and_end_marker(run_of: RunOf, monkeypatch: Any) -> None:
    monkeypatch.setattr("workers.backends.openai_compatible.USAGE_SECONDS", 0.05)
    text, outcome = read(backend, run_of("nofinish"))
    assert (text, outcome.completion_tokens) == ("t0 t1 t2 t3 t4 ", None)


def test_a_response_left_open_after_its_end_is_not_waited_for(run_of: RunOf) -> None:
    assert read(backend, run_of("lingers"))[1].completion_tokens == 5


@pytest.mark.parametrize(("model", "parameter"), [("nousage", "stream_options"), ("newname", "max_tokens")])
def test_a_refused_parameter_is_left_out_from_then_on(
    provider: FakeProvider, run_of: RunOf, model: str, parameter: str
) -> None:
    for _ in range(2):
        assert read(backend, run_of(model))[0] == "t0 t1 t2 t3 t4 "
    assert [parameter in request.body for request in provider.chats] == [True, False, False]


def test_what_an_error_only_names_is_not_left_out_the_next_time(provider: FakeProvider, run_of: RunOf) -> None:
    said = json.dumps({"error": {"message": "Cannot read {'model': 'x', 'stream_options': {}}"}})
    for _ in range(2):
        with pytest.raises(ProviderRefusedError):
            read(backend, run_of("body400", prompt=[{"role": "user", "content": said}]))
    assert ["stream_options" in request.body for request in provider.chats] == [True, False, True, False]


def test_a_server_that_wants_user_and_assistant_in_turns_gets_them(provider: FakeProvider, run_of: RunOf) -> None:
    said = [("system", "Be brief."), ("user", "One"), ("user", "Two"), ("assistant", "Three"), ("user", "Four")]
    run = run_of("strict-echo", prompt=[{"role": role, "content": text} for role, text in said])
    assert [read(backend, run)[0] for _ in range(2)] == ["Four", "Four"]
    assert len(provider.chats) == 3
    assert [message["content"] for message in provider.chats[-1].body["messages"]] == [
        "Be brief.\n\nOne\n\nTwo",
        "Three",
        "Four",
    ]


def test_the_limit_has_another_name_for_newer_models(provider: FakeProvider, run_of: RunOf) -> None:
    read(backend, run_of("newname-tokens1", max_output_tokens=9))
    assert provider.chats[-1].body["max_completion_tokens"] == 9


def test_the_next_request_uses_the_same_connection(provider: FakeProvider, run_of: RunOf) -> None:
    for _ in range(3):
        read(backend, run_of("tokens2"))
    assert len({request.client_port for request in provider.chats}) == 1
