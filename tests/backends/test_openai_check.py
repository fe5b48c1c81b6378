"""One sentence from "test this provider"."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.backends.fake_provider import FakeProvider
from workers.backends.base import Run
from workers.backends.openai_compatible import CHECK_TOKENS, OpenAICompatibleBackend
from workers.errors import ProviderRefusedError, UnknownModelError

RunOf = Callable[..., Run]
backend = OpenAICompatibleBackend()


def test_it_says_what_the_model_answers_and_what_is_on_offer(provider: FakeProvider, run_of: RunOf) -> None:
    assert backend.check(run_of("tokens1")) == "It answers: t0 It offers large, small."
    assert provider.chats[0].body["max_tokens"] == CHECK_TOKENS


def test_a_provider_without_a_model_yet_can_be_tested(provider: FakeProvider, run_of: RunOf) -> None:
    assert backend.check(run_of("")) == "The provider can be reached. It offers large, small."
    assert not provider.chats


def test_an_unknown_model_comes_with_the_known_ones(run_of: RunOf) -> None:
    with pytest.raises(UnknownModelError, match="It offers large, small"):
        backend.check(run_of("error404"))


def test_a_wrong_key_is_the_first_thing_said(run_of: RunOf, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ProviderRefusedError, match="does not accept the key"):
        backend.check(run_of("error401", api_key="wrong"))


def test_a_provider_that_lists_nothing_may_still_answer(run_of: RunOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.backends.fake_provider.LISTED_MODELS", [])
    assert backend.check(run_of("tokens1")) == "It answers: t0 It does not list its models."


def test_a_long_list_is_shortened(run_of: RunOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.backends.fake_provider.LISTED_MODELS", [f"m{number:04}" for number in range(2000)])
    assert backend.check(run_of("")).endswith("m0008, m0009 and 1,990 more.")
