"""A real causal model with random weights, through the real loading and generation."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.backends.conftest import PROMPT
from tests.backends.reading import read, read_until_cancelled, read_until_error
from tests.processes import wait_until
from tests.tiny_models import build_causal_model
from workers.backends.base import Cancellation, Run
from workers.backends.causal import CausalBackend
from workers.errors import BackendUnavailableError, ContextTooLongError, ProviderTimeoutError, WorkerError

backend = CausalBackend()


@pytest.fixture
def run_of(tiny_model: Path) -> Callable[..., Run]:
    def run(**fields: Any) -> Run:
        fields = {"prompt": PROMPT, "identifier": str(tiny_model), "max_output_tokens": 30, **fields}
        return Run(role="generate", **fields)

    return run


@pytest.fixture
def endless(tmp_path: Path) -> str:
    """A model that writes until it is stopped."""
    return str(build_causal_model(tmp_path, positions=100_000, never_ends=True))


RunOf = Callable[..., Run]


def generations() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "generation"]


def test_the_deltas_are_what_the_model_generates(run_of: RunOf, tiny_model: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    model: Any = AutoModelForCausalLM.from_pretrained(tiny_model)
    tokens = tokenizer("<|user|>Hello<|end|><|assistant|>", return_tensors="pt")
    expected = model.generate(**tokens, max_new_tokens=30)[0, tokens["input_ids"].shape[1] :]
    text, outcome = read(backend, run_of())
    assert text == tokenizer.decode(expected, skip_special_tokens=True)
    assert (outcome.prompt_tokens, outcome.completion_tokens) == (tokens["input_ids"].shape[1], 30)
    assert outcome.was_cut_short


def test_an_answer_that_ends_by_itself_is_not_cut_short(run_of: RunOf) -> None:
    outcome = read(backend, run_of(max_output_tokens=250))[1]
    assert not outcome.was_cut_short
    assert outcome.completion_tokens is not None
    assert outcome.completion_tokens < 240


def test_a_seed_makes_sampling_repeatable(run_of: RunOf) -> None:
    sampled = [read(backend, run_of(options={"temperature": 1.5, "seed": seed}))[0] for seed in (1, 1, 2)]
    assert sampled[0] == sampled[1] != sampled[2]


def test_temperature_zero_is_always_the_likeliest_token(run_of: RunOf) -> None:
    assert read(backend, run_of(options={"temperature": 0}))[0] == read(backend, run_of())[0]


def test_a_penalty_keeps_tokens_from_coming_again(run_of: RunOf) -> None:
    plain, penalised = (read(backend, run_of(options=options))[0] for options in ({}, {"presence_penalty": 2.0}))
    assert plain.count(" goes") > penalised.count(" goes") == 1


def test_a_stop_text_ends_the_answer_before_it(run_of: RunOf) -> None:
    whole = read(backend, run_of())[0]
    text, outcome = read(backend, run_of(options={"stop": [" goes"]}))
    assert text == whole[: whole.index(" goes")]
    assert not outcome.was_cut_short
    assert outcome.completion_tokens is not None
    assert outcome.completion_tokens < 30


def test_answers_at_the_same_time_do_not_mix(run_of: RunOf) -> None:
    runs = [run_of(prompt=[{"role": "user", "content": f"Question {number}"}]) for number in range(4)]
    one_by_one = [read(backend, run) for run in runs]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda run: read(backend, run), runs)) == one_by_one


def test_options_of_answers_at_the_same_time_do_not_mix(run_of: RunOf) -> None:
    options: list[dict[str, Any]] = [
        {},
        {"temperature": 1.5, "seed": 1},
        {"presence_penalty": 2.0},
        {"stop": [" goes"]},
        {"temperature": 1.5, "seed": 2},
    ]
    runs = [run_of(options=each, prompt=[{"role": "user", "content": "Hi " * 7 * n}]) for n, each in enumerate(options)]
    one_by_one = [read(backend, run) for run in runs]
    with ThreadPoolExecutor(5) as pool:
        assert list(pool.map(lambda run: read(backend, run), runs)) == one_by_one


def test_stopping_one_answer_does_not_disturb_another(run_of: RunOf, endless: str) -> None:
    long = run_of(identifier=endless, max_output_tokens=600, context_window=99_999)
    alone = read(backend, long)
    with ThreadPoolExecutor(1) as pool:
        stopped = backend.stream(
            run_of(identifier=endless, max_output_tokens=99_000, context_window=99_999), Cancellation()
        )
        next(stopped)
        going_on = pool.submit(read, backend, long)
        next(stopped)
        stopped.close()
        assert going_on.result() == alone


def test_a_failure_while_sampling_is_that_of_one_answer(run_of: RunOf, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read(backend, run_of())
    monkeypatch.setattr("workers.backends.causal._Penalties.__call__", _fail)
    with ThreadPoolExecutor(1) as pool:
        good = pool.submit(read, backend, run_of())
        with pytest.raises(WorkerError, match="ZeroDivisionError"):
            read(backend, run_of(options={"presence_penalty": 2.0}))
        assert good.result() == whole


def test_an_answer_that_has_no_room_beside_the_others_leaves_nobody_waiting(
    run_of: RunOf, endless: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = run_of(identifier=endless, max_output_tokens=99_000, context_window=99_999)
    being_written = backend.stream(long, Cancellation())
    next(being_written)
    with monkeypatch.context() as full:
        full.setattr("workers.backends.causal_batch._filled", _out_of_memory)
        for deltas in (backend.stream(long, Cancellation()), being_written):
            with pytest.raises(BackendUnavailableError):
                list(deltas)
    wait_until(lambda: not generations())
    assert read(backend, run_of(identifier=endless))[1].completion_tokens == 30


def test_a_model_that_cannot_be_batched_answers_all_the_same(run_of: RunOf, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read(backend, run_of())
    monkeypatch.setattr("workers.backends.causal_batch.can_batch", lambda model: False)
    assert read(CausalBackend(), run_of()) == whole


def test_a_long_prompt_is_read_in_pieces(run_of: RunOf, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_of(prompt=[{"role": "user", "content": "Hello there, what goes on? " * 5}])
    at_once = read(backend, run)
    monkeypatch.setattr("workers.backends.causal_batch.PIECE_TOKENS", 7)
    assert read(backend, run) == at_once


def test_a_prompt_beyond_the_models_window_is_refused(run_of: RunOf) -> None:
    with pytest.raises(ContextTooLongError, match="256"):
        read(backend, run_of(prompt=[{"role": "user", "content": "Hello " * 300}]))


def test_a_prompt_beyond_the_window_of_the_catalogue_is_refused(run_of: RunOf) -> None:
    with pytest.raises(ContextTooLongError):
        read(backend, run_of(context_window=8))


def test_the_answer_fits_into_what_the_prompt_leaves(run_of: RunOf) -> None:
    outcome = read(backend, run_of(context_window=20))[1]
    assert (outcome.prompt_tokens or 0) + (outcome.completion_tokens or 0) == 20


def test_cancelling_ends_the_answer_and_the_thread(run_of: RunOf, endless: str) -> None:
    run = run_of(identifier=endless, max_output_tokens=99_000, context_window=99_999)
    read_until_cancelled(backend, run, when=_wait_for_generation)
    wait_until(lambda: not generations())


def test_closing_the_generator_ends_the_thread(run_of: RunOf, endless: str) -> None:
    run = run_of(identifier=endless, max_output_tokens=99_000, context_window=99_999)
    deltas = backend.stream(run, Cancellation())
    next(deltas)
    deltas.close()
    wait_until(lambda: not generations())


def test_what_goes_wrong_while_generating_reaches_the_reader(run_of: RunOf, monkeypatch: pytest.MonkeyPatch) -> None:
    read(backend, run_of())
    monkeypatch.setattr("transformers.LlamaForCausalLM.forward", _fail)
    with pytest.raises(WorkerError, match="ZeroDivisionError"):
        read(backend, run_of())
    wait_until(lambda: not generations())


def test_a_model_that_is_silent_times_out(run_of: RunOf, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import LlamaForCausalLM

    read(backend, run_of())
    settings.FIRST_TOKEN_TIMEOUT_SECONDS = 0.05
    forward, may_go_on = LlamaForCausalLM.forward, Cancellation()

    def slow(self: Any, *arguments: Any, **named: Any) -> Any:
        may_go_on.wait(0.2)
        return forward(self, *arguments, **named)

    monkeypatch.setattr(LlamaForCausalLM, "forward", slow)
    _, error = read_until_error(backend, run_of())
    assert isinstance(error, ProviderTimeoutError)
    wait_until(lambda: not generations())


def test_prompts_that_take_long_to_read_are_waited_for(
    run_of: RunOf, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each takes less than a model may be silent, all together take more."""
    from transformers import LlamaForCausalLM

    run = run_of(prompt=[{"role": "user", "content": "Hello there, what goes on? " * 4}], max_output_tokens=2)
    at_once = read(backend, run)
    settings.FIRST_TOKEN_TIMEOUT_SECONDS = 1.5
    forward = LlamaForCausalLM.forward

    def slow(self: Any, input_ids: Any, **named: Any) -> Any:
        Cancellation().wait(0.12 * (input_ids.shape[1] > 1))
        return forward(self, input_ids=input_ids, **named)

    monkeypatch.setattr(LlamaForCausalLM, "forward", slow)
    monkeypatch.setattr("workers.backends.causal_batch.PIECE_TOKENS", 1 + (at_once[1].prompt_tokens or 0) // 8)
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(read, [backend] * 3, [run] * 3)) == [at_once] * 3


def test_the_check_shows_the_beginning_of_an_answer(run_of: RunOf) -> None:
    assert backend.check(run_of()).startswith("It answers: ")


def _out_of_memory(*_: Any) -> None:
    raise torch.OutOfMemoryError


def _fail(*_: Any, **__: Any) -> torch.Tensor:
    raise ZeroDivisionError


def _wait_for_generation() -> None:
    for _ in range(2000):
        if generations():
            return
        Cancellation().wait(0.01)
    raise AssertionError("nothing is being generated")
