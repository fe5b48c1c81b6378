from __future__ import annotations

from typing import Any

import pytest

from workers.backends.base import Run
from workers.backends.sampling import sampling
from workers.errors import ProviderRefusedError


def run_with(**options: Any) -> Run:
    return Run(role="generate", prompt=[{"role": "user", "content": "Hello"}], options=options, max_output_tokens=100)


def test_only_sampling_options_pass() -> None:
    options = {"temperature": 0.5, "labels": ["a"], "n": 1000, "messages": [], "stream": False}
    assert sampling(run_with(**options)) == {"temperature": 0.5, "max_tokens": 100}


@pytest.mark.parametrize(("wanted", "granted"), [(10, 10), (100, 100), (10**9, 100)])
def test_nobody_gets_more_tokens_than_the_model_may_write(wanted: int, granted: int) -> None:
    assert sampling(run_with(max_tokens=wanted))["max_tokens"] == granted


def test_one_stop_text_is_a_list_of_one() -> None:
    assert sampling(run_with(stop="END"))["stop"] == ["END"]


def test_options_that_are_null_are_not_given() -> None:
    assert sampling(run_with(temperature=None, stop=None, max_tokens=None)) == {"max_tokens": 100}


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": "hot"},
        {"temperature": True},
        {"temperature": -1},
        {"temperature": float("nan")},
        {"top_p": 1.1},
        {"presence_penalty": 3},
        {"max_tokens": 0},
        {"max_tokens": 1.5},
        {"max_tokens": "10"},
        {"seed": 2**64},
        {"stop": [""]},
        {"stop": ["a", "b", "c", "d", "e"]},
        {"stop": {"a": 1}},
        {"stop": ["x" * 101]},
    ],
)
def test_values_that_no_model_could_take_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ProviderRefusedError, match=next(iter(options))):
        sampling(run_with(**options))
