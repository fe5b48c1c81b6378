"""The classifier's choice, the default's, and that a decision is a pure function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.compiling import compile_policy
from router.decision import decide
from router.policy import Request
from tests.router.conftest import TEXTS, MakePolicy, embed, route

ODD = ["", " \n\t ", "😀", "😀🎉" * 50, "\x00\x01\x1b[31m", "\ud800", "\u200f\u202e", "a" * 300_000, "?!…", "日本語"]


@pytest.mark.parametrize("role", TEXTS)
def test_the_classifier_sends_a_message_to_the_route_of_its_role(policy: MakePolicy, role: str) -> None:
    for text in TEXTS[role]:
        choice = decide(Request(text), policy(), embed)
        assert (choice.route, choice.role, choice.strategy) == (role, role, "classifier")
        assert choice.score == max(choice.scores.values())


def test_a_low_score_falls_to_the_default_and_keeps_the_scores(policy: MakePolicy) -> None:
    routes = (route("summarise", threshold=1.1), route("classify"), route("generate"))
    choice = decide(Request("tl;dr"), policy(*routes), embed)
    assert (choice.route, choice.strategy, choice.threshold) == ("generate", "default", 1.1)
    assert choice.score == choice.scores["summarise"] == max(choice.scores.values())
    assert choice.evidence["runner_up"] != "summarise"


def test_a_role_without_a_route_scores_nothing_for_the_others(policy: MakePolicy) -> None:
    routes = (route("summarise", threshold=0.4), route("generate", threshold=0.4))
    choice = decide(Request("is this spam or ham"), policy(*routes), embed)
    assert (choice.route, choice.strategy) == ("generate", "default")
    assert sum(choice.scores.values()) < 0.5
    assert choice.evidence["roles"]["classify"] > 0.5


def test_routes_of_one_role_share_its_probability_by_their_examples(policy: MakePolicy) -> None:
    routes = (
        route("legal", role="generate", examples=["what is a contract", "may I cancel the lease"]),
        route("astronomy", role="generate", examples=["how far is the moon", "tell me about the rings of Saturn"]),
        route("generate", examples=["hello"]),
        route("summarise"),
    )
    choice = decide(Request("tell me about a comet and the moon"), policy(*routes), embed)
    of_role = sum(choice.scores[name] for name in ("legal", "astronomy", "generate"))
    assert choice.route == "astronomy"
    assert of_role == pytest.approx(choice.evidence["roles"]["generate"], abs=0.001)
    assert decide(Request("what is a lease contract"), policy(*routes), embed).route == "legal"


@pytest.mark.parametrize("text", ODD)
def test_any_string_is_decided(policy: MakePolicy, text: str) -> None:
    assert decide(Request(text, context=text), policy(), embed).route in {"summarise", "classify", "generate"}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text().filter(lambda text: not text.lstrip().startswith("/")), context=st.text())
def test_equal_requests_get_equal_choices_from_policies_compiled_apart(
    artefact: bytes, text: str, context: str
) -> None:
    snapshot = {"routes": [route("summarise", threshold=0.5), route("classify"), route("generate", examples=["hi"])]}
    first, second = (compile_policy(snapshot, artefact, embed) for _ in range(2))
    assert decide(Request(text, context=context), first, embed) == decide(Request(text, context=context), second, embed)


def test_the_encoder_reads_a_bounded_part_of_a_long_message_once(policy: MakePolicy) -> None:
    read: list[str] = []

    def counting(texts: Sequence[str]) -> Any:
        read.extend(texts)
        return embed(texts)

    decide(Request("summarise this: " + "word " * 100_000), policy(), counting)
    assert len(read) == 1
    assert len(read[0]) < 500


def test_a_choice_and_a_rule_need_no_encoder(policy: MakePolicy) -> None:
    def broken(texts: Sequence[str]) -> Any:
        raise AssertionError("not needed")

    assert decide(Request("/generate hi"), policy(), broken).strategy == "explicit"


def test_the_real_encoder_finds_the_route_that_means_the_same(policy: MakePolicy, artefact: bytes) -> None:
    from workers.encoder import encode

    routes = [
        route("cooking", role="generate", examples=["how do I bake sourdough bread", "a recipe for lentil soup"]),
        route("travel", role="generate", examples=["cheap flights to Lisbon", "what to see in Rome in two days"]),
        route("generate", examples=["hello"]),
    ]
    policy_ = compile_policy({"routes": routes}, artefact, encode)
    choice = decide(Request("which train goes from Paris to Milan"), policy_, encode)
    assert choice.route == "travel"
    assert choice.evidence["examples"][0]["route"] == "travel"
