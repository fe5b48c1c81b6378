"""The classifier's choice, the default's, and that a decision is a pure function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.compiling import compile_policy
from router.decision import decide
from router.evidence import complete
from router.policy import Request
from tests.router.conftest import TEXTS, FakeEncoder, MakePolicy, embed, route

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
    joined_artefact: bytes, text: str, context: str
) -> None:
    snapshot = {"routes": [route("summarise", threshold=0.5), route("classify"), route("generate", examples=["hi"])]}
    first, second = (compile_policy(snapshot, joined_artefact, embed) for _ in range(2))
    assert decide(Request(text, context=context), first, embed) == decide(Request(text, context=context), second, embed)


def test_the_encoder_reads_a_bounded_part_of_a_long_message_once(policy: MakePolicy) -> None:
    read: list[str] = []

    def counting(texts: Sequence[str]) -> Any:
        read.extend(texts)
        return embed(texts)

    routes = (route("summarise"), route("short", role="summarise"), route("generate"))
    decide(Request("summarise this: " + "word " * 100_000), policy(*routes), counting)
    assert len(read) == 1
    assert len(read[0]) < 500


def test_a_choice_and_a_rule_need_no_encoder(policy: MakePolicy) -> None:
    def broken(texts: Sequence[str]) -> Any:
        raise AssertionError("not needed")

    assert decide(Request("/generate hi"), policy(), broken).strategy == "explicit"


def test_only_routes_that_share_the_likeliest_role_need_an_embedding(policy: MakePolicy) -> None:
    def broken(texts: Sequence[str]) -> Any:
        raise AssertionError("not needed")

    routes = (route("summarise"), route("classify"), route("legal", role="generate"), route("generate"))
    choice = decide(Request("is this spam or ham"), policy(*routes), broken)
    assert choice.route == "classify"
    assert choice.scores["legal"] == choice.scores["generate"]
    with pytest.raises(AssertionError):
        decide(Request("hello there"), policy(*routes), broken)


def test_the_tuned_encoder_is_asked_only_in_doubt(joined_artefact: bytes) -> None:
    encoder = FakeEncoder()
    policy = compile_policy(
        {"routes": [route("summarise"), route("classify"), route("generate")]}, joined_artefact, encoder
    )
    join = policy.classifier.join
    assert join is not None
    for text in ("tl;dr", "is this spam or ham", "gist label poem", "x", ""):
        encoder.asked.clear()
        choice = decide(Request(text), policy, encoder)
        linear = policy.classifier.linear_logits(text)
        is_certain = float(np.exp(linear - linear.max()).sum()) <= 1 / join.certain
        assert (choice.evidence["told_by"], encoder.asked) == (("linear", []) if is_certain else ("joined", [text]))


def test_a_role_that_no_route_is_left_for_is_passed_over(joined_artefact: bytes) -> None:
    policy = compile_policy({"routes": [route("summarise"), route("generate")]}, joined_artefact, embed)
    choice = decide(Request("is this spam or ham"), policy, embed)
    assert choice.route in choice.scores.keys() == {"summarise", "generate"}


def test_a_changed_revision_keeps_the_tuned_encoder(joined_artefact: bytes) -> None:
    first = compile_policy({"routes": [route("generate")]}, joined_artefact, embed)
    second = compile_policy({"routes": [route("generate", threshold=0.5)]}, joined_artefact, embed, known=first)
    assert second.classifier is first.classifier


def test_the_real_encoder_finds_the_route_that_means_the_same(policy: MakePolicy, artefact: bytes) -> None:
    from workers.encoder import encode

    routes = [
        route("cooking", role="generate", examples=["how do I bake sourdough bread", "a recipe for lentil soup"]),
        route("travel", role="generate", examples=["cheap flights to Lisbon", "what to see in Rome in two days"]),
        route("generate", examples=["hello"]),
    ]
    policy_ = compile_policy({"routes": routes}, artefact, encode)
    request = Request("which train goes from Paris to Milan")
    choice = decide(request, policy_, encode)
    assert choice.route == "travel"
    assert complete(choice, request, policy_, encode)["examples"][0]["route"] == "travel"
