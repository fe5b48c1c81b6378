"""What a decision says it rests on."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from router.classifier import RoleClassifier
from router.decision import decide
from router.evidence import complete
from router.policy import Policy, Request
from tests.router.conftest import MakePolicy, embed, route


def evidence(text: str, policy: Policy) -> dict[str, Any]:
    request = Request(text)
    return complete(decide(request, policy, embed), request, policy, embed)


def test_the_nearest_examples_come_with_route_and_similarity(policy: MakePolicy) -> None:
    routes = (
        route("summarise", examples=["give me the gist of the mail", "shorten it"]),
        route("generate", examples=["write of the mail", "hello", "x" * 500]),
    )
    examples = evidence("give me the gist of the mail", policy(*routes))["examples"]
    assert [example["route"] for example in examples[:2]] == ["summarise", "generate"]
    assert examples[0] == {"text": "give me the gist of the mail", "route": "summarise", "similarity": 1.0}
    assert len(examples) == 3
    assert all(0 <= example["similarity"] <= 1 and len(example["text"]) <= 160 for example in examples)


def test_descriptions_are_no_examples(policy: MakePolicy) -> None:
    assert evidence("Messages for classify.", policy())["examples"] == []


def test_the_runner_up_and_the_margin_are_named(policy: MakePolicy) -> None:
    choice = decide(Request("tl;dr"), policy(), embed)
    first, second = sorted(choice.scores.values(), reverse=True)[:2]
    assert choice.scores[choice.evidence["runner_up"]] == second
    assert choice.evidence["margin"] == pytest.approx(first - second)


def test_a_single_route_has_no_runner_up(policy: MakePolicy) -> None:
    assert "runner_up" not in decide(Request("hello"), policy(route("generate")), embed).evidence


def test_the_words_that_weighed_most_are_words_of_the_message(policy: MakePolicy) -> None:
    words = evidence("Is this SPAM or ham?", policy())["words"]
    assert {word["text"] for word in words} <= {"is", "this", "spam", "or", "ham"}
    assert "spam" in {word["text"] for word in words}
    assert [word["weight"] for word in words] == sorted((word["weight"] for word in words), reverse=True)


def test_a_word_weighs_what_it_adds_to_the_logit(artefact: bytes) -> None:
    """A message of one word: its weight and those of its letters and shape make up the whole logit."""
    classifier = RoleClassifier.load(artefact)
    (word, weight), *rest = classifier.words("spam", "classify")
    assert (word, rest) == ("spam", [])
    assert weight > 0
    assert classifier.words("spam", "generate") == []
    assert classifier.words("", "generate") == []


def test_the_whole_choice_can_be_stored_as_json(policy: MakePolicy) -> None:
    choice = decide(Request("label it"), policy(), embed)
    found = evidence("label it", policy())
    assert json.loads(json.dumps(found)) == found
    assert found.items() >= choice.evidence.items()
    assert json.loads(json.dumps(choice.scores)) == choice.scores


def test_what_the_person_chose_needs_no_more_reasons(policy: MakePolicy) -> None:
    def broken(texts: Sequence[str]) -> Any:
        raise AssertionError("not needed")

    request = Request("/generate hi")
    choice = decide(request, policy(), broken)
    assert complete(choice, request, policy(), broken) == choice.evidence
