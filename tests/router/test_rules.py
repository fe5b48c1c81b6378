"""Rules: what admins may write, what matches, and which of several counts."""

import pytest

from router.decision import decide
from router.policy import Request
from router.strategies.rules import InvalidRuleError, check_rule, compile_rule
from tests.router.conftest import MakePolicy, embed, route, rule


def test_a_rule_goes_before_the_classifier_and_is_the_evidence(policy: MakePolicy) -> None:
    routes = (route("summarise", rules=[rule("hello")]), route("generate"))
    choice = decide(Request("Hello there"), policy(*routes), embed)
    assert (choice.route, choice.strategy) == ("summarise", "rule")
    assert choice.evidence == {"rule": {"kind": "pattern", "value": "hello"}}
    assert choice.score is None


def test_rules_are_tried_by_position_over_all_routes(policy: MakePolicy) -> None:
    routes = (
        route("summarise", rules=[rule("rain", position=2)]),
        route("classify", rules=[rule("rain", position=1), rule("snow", position=5)]),
        route("generate", rules=[rule("snow", position=5)]),
    )
    assert decide(Request("rain"), policy(*routes), embed).route == "classify"
    assert decide(Request("snow"), policy(*routes), embed).route == "classify"


def test_patterns_ignore_case_unless_they_say_otherwise() -> None:
    assert compile_rule("pattern", "invoice")("My INVOICE is wrong")
    assert not compile_rule("pattern", "(?-i)invoice")("My INVOICE is wrong")


def test_a_pattern_that_explodes_elsewhere_is_answered_at_once() -> None:
    # A backtracking engine takes 2^100000 steps for this; the test ends only if ours does not.
    assert not compile_rule("pattern", "^(a+)+$")("a" * 100_000 + "!")


def test_a_pattern_that_takes_long_for_every_character_is_not_let_in() -> None:
    for value in (r"\w{1000}\w{1000}\w{1000}\w{1000}é", "(a?){1000}a{1000}é"):
        with pytest.raises(InvalidRuleError, match="too large"):
            check_rule("pattern", value)
        assert compile_rule("pattern", value)  # what is live already goes on
    check_rule("pattern", r"^[^\n]{1,500}\?$")


def test_a_pattern_sees_both_ends_of_a_long_message() -> None:
    matches = compile_rule("pattern", "^begin.*|end$")
    assert matches("begin" + "x" * 100_000)
    assert matches("x" * 100_000 + "end")
    assert not compile_rule("pattern", "middle")("x" * 50_000 + "middle" + "x" * 50_000)


@pytest.mark.parametrize("text", ["", "\ud800", "\x00\x01", "😀" * 10])
def test_any_text_can_be_matched(text: str) -> None:
    assert not compile_rule("pattern", "word")(text)


def test_length_rules_count_characters() -> None:
    assert compile_rule("longer_than", "3")("four")
    assert not compile_rule("longer_than", "4")("four")
    assert compile_rule("shorter_than", "5")("four")
    assert not compile_rule("shorter_than", "4")("four")


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        ("pattern", "[", "missing"),
        ("pattern", "(?=x)", "no look-around"),
        ("pattern", r"(a)\1", "no back-references"),
        ("pattern", "(a{999}){999}", "cannot be read"),
        ("pattern", "", "every message"),
        ("pattern", "a*", "every message"),
        ("longer_than", "many", "whole number"),
        ("longer_than", "-1", "whole number"),
        ("shorter_than", "0", "whole number"),
        ("shorter_than", "9" * 400, "whole number"),
        ("attachment", "gif", "Name kinds of files"),
        ("attachment", " ", "Name kinds of files"),
        ("weather", "rain", "no kind of rule"),
    ],
)
def test_a_rule_that_cannot_work_is_refused_with_the_reason(kind: str, value: str, reason: str) -> None:
    with pytest.raises(InvalidRuleError, match=reason):
        compile_rule(kind, value)


def test_a_file_of_a_kind_meets_a_rule() -> None:
    matches, matches_any = compile_rule("attachment", "pdf, DOCX"), compile_rule("attachment", "any")
    assert matches("Text", frozenset({"csv", "docx"}))
    assert not matches("pdf", frozenset({"csv"}))
    assert matches_any("Text", frozenset({"csv"}))
    assert not matches_any("any")
