"""The gate: what it measures, what it leaves out, and when it refuses."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from router.gate import SHOWN_CASES, SHOWN_TEXT, Case, Verdict, judge
from router.policy import Policy
from tests.router.conftest import TEXTS, MakePolicy, embed, route, rule

CASES = [Case(text, name) for name, texts in TEXTS.items() for text in texts]


def verdict(
    draft: Policy, live: Policy | None, cases: Sequence[Case] = CASES, margin: float = 1.0, told: Any = None
) -> Verdict:
    return judge(cases, draft, live, embed, margin, told or (lambda done, total: None))


def with_rule(policy: MakePolicy, *words: str) -> Policy:
    """A policy that sends messages with these words to generate."""
    rules = [rule(word) for word in words]
    return policy(route("summarise"), route("classify"), route("generate", rules=rules))


def fitted_on(policy: Policy, *cases: Case) -> Policy:
    """The policy as if its classifier had been fitted on these."""
    metadata = {**policy.classifier.metadata, "fitted_on": [case.fingerprint for case in cases]}
    return replace(policy, classifier=replace(policy.classifier, metadata=metadata))


def test_the_same_policy_twice_passes_and_flips_nothing(policy: MakePolicy) -> None:
    found = verdict(policy(), policy(), margin=0)
    assert found.passes
    assert found.flips == []
    assert found.draft == found.live
    assert found.draft.accuracy == found.draft.macro_f1 == 1.0
    assert found.count == len(CASES)


def test_a_worse_draft_is_refused_with_the_messages_that_got_worse(policy: MakePolicy) -> None:
    found = verdict(with_rule(policy, "gist"), policy())
    assert not found.passes
    assert [(case.text, case.live, case.draft) for case in found.failing] == [
        ("give me the gist", "summarise", "generate")
    ]
    assert found.draft.confusion["summarise"] == {"summarise": 4, "classify": 0, "generate": 1}
    assert found.draft.accuracy == pytest.approx(14 / 15)


def test_the_margin_is_what_a_draft_may_lose(policy: MakePolicy) -> None:
    lost = 100 / len(CASES)  # points of accuracy that one message is worth
    draft, live = with_rule(policy, "gist"), policy()
    macro = 100 * (verdict(draft, live).live.macro_f1 - verdict(draft, live).draft.macro_f1)  # type: ignore[union-attr]
    most = max(lost, macro)
    assert verdict(draft, live, margin=most).passes
    assert not verdict(draft, live, margin=most - 0.01).passes


def test_a_rare_route_that_is_lost_counts_though_accuracy_hardly_moves(policy: MakePolicy) -> None:
    """Of 100 messages one is for classify: losing it is 1 point of accuracy, and half of macro-F1."""
    cases = [Case(f"hello there {n}", "generate") for n in range(99)] + [Case("urgent or not", "classify")]
    live = policy(route("classify", rules=[rule("urgent")]), route("generate", rules=[rule("hello")]))
    draft = policy(route("classify"), route("generate", rules=[rule("hello|urgent")]))
    found = verdict(draft, live, cases, margin=5.0)
    assert found.live
    assert found.live.accuracy - found.draft.accuracy == pytest.approx(0.01)
    assert not found.passes


def test_a_better_draft_passes_and_says_what_it_mends(policy: MakePolicy) -> None:
    found = verdict(policy(), with_rule(policy, "gist"), margin=0)
    assert found.passes
    assert [case.text for case in found.mended] == ["give me the gist"]
    assert found.failing == []


def test_what_got_worse_comes_before_what_got_better(policy: MakePolicy) -> None:
    draft, live = with_rule(policy, "tl;dr"), with_rule(policy, "gist")
    assert [case.text for case in verdict(draft, live).flips] == ["tl;dr", "give me the gist"]


def test_without_a_live_revision_or_without_messages_nothing_is_worse(policy: MakePolicy) -> None:
    first = verdict(with_rule(policy, "gist"), None)
    assert first.passes
    assert first.live is None
    assert first.flips == []
    empty = verdict(with_rule(policy, "gist"), policy(), [])
    assert empty.passes
    assert empty.count == 0


@pytest.mark.parametrize("side", ["draft", "live"])
def test_what_a_classifier_was_fitted_on_is_left_out(policy: MakePolicy, side: str) -> None:
    gist = Case("give me the gist", "summarise")
    draft, live = with_rule(policy, "gist"), policy()
    if side == "draft":
        draft = fitted_on(draft, gist)
    else:
        live = fitted_on(live, gist)
    found = verdict(draft, live)
    assert found.passes  # the only message that got worse is not counted
    assert (found.count, found.fitted, found.left_out) == (len(CASES) - 1, 1, 1)


def test_the_same_text_after_another_answer_is_not_what_was_fitted_on(policy: MakePolicy) -> None:
    case = Case("tl;dr", "summarise", "Photosynthesis takes place in two stages.")
    found = verdict(fitted_on(policy(), Case("tl;dr", "summarise")), policy(), [case])
    assert (found.count, found.fitted) == (1, 0)


def test_a_route_that_the_draft_takes_away_takes_its_messages_along(policy: MakePolicy) -> None:
    found = verdict(policy(route("summarise"), route("generate")), policy())
    assert (found.count, found.without_route, len(found.failing)) == (15, 0, 5)
    assert not found.passes


def test_messages_of_a_route_that_neither_has_are_left_out(policy: MakePolicy) -> None:
    found = verdict(policy(), policy(), [*CASES, Case("may I cancel?", "legal")])
    assert (found.count, found.without_route) == (15, 1)


def test_a_new_route_hides_no_loss_on_the_others(policy: MakePolicy) -> None:
    routes = [route("summarise"), route("classify"), route("generate", rules=[rule("gist")])]
    draft = policy(*routes, route("legal", "generate", rules=[rule("cancel")]))
    cases = [*CASES, *(Case(f"may I cancel number {number}?", "legal") for number in range(10))]
    found = verdict(draft, policy(), cases)
    assert found.live
    assert found.draft.accuracy > found.live.accuracy
    assert not found.passes


def test_mistakes_come_with_the_surest_first_and_a_rule_is_surest(policy: MakePolicy) -> None:
    cases = [
        Case("give me the gist", "classify"),
        Case("write a poem about rain", "classify"),
        Case("zebra", "classify"),
    ]
    found = verdict(with_rule(policy, "zebra"), policy(), cases)
    scores = [case.score for case in found.mistakes]
    assert found.mistakes[0].text == "zebra"
    assert scores[0] is None
    assert scores[1:] == sorted(scores[1:], reverse=True)  # type: ignore[type-var]


def test_a_message_that_begins_with_an_unknown_command_is_answered_by_nobody(policy: MakePolicy) -> None:
    found = verdict(policy(), policy(), [Case("/nonsense hello", "generate"), Case("hello there", "generate")])
    assert found.draft.confusion["generate"][""] == 1
    assert found.draft.accuracy == 0.5


def test_the_context_is_part_of_what_is_decided(policy: MakePolicy) -> None:
    """The policy sees what the live router would see, so a case with context is judged with it."""
    found = verdict(policy(), policy(), [Case("hello there", "classify", "an answer before")])
    assert found.mistakes[0].context == "an answer before"


def test_it_tells_how_far_it_is(policy: MakePolicy) -> None:
    told: list[tuple[int, int]] = []
    verdict(policy(), policy(), CASES[:3], told=lambda *how_far: told.append(how_far))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_each_text_is_embedded_once_for_both_policies(policy: MakePolicy) -> None:
    asked: list[str] = []

    def counting(texts: Sequence[str]) -> Any:
        asked.extend(texts)
        return embed(texts)

    draft, live = policy(), policy()
    judge(CASES, draft, live, counting, 1.0, lambda done, total: None)
    assert len(asked) == len(set(asked))


def test_as_data_it_stays_small(policy: MakePolicy) -> None:
    cases = [Case(f"tell me {n} {'a long story ' * 1000}", "summarise") for n in range(SHOWN_CASES + 5)]
    found = verdict(with_rule(policy, "tell"), policy(), cases)
    data = json.loads(json.dumps(found.as_data()))
    assert data["mistakes_count"] == len(found.mistakes) == SHOWN_CASES + 5
    assert len(data["mistakes"]) == SHOWN_CASES
    assert max(len(case["text"]) for case in data["mistakes"]) <= SHOWN_TEXT


def test_the_summary_is_what_a_revision_keeps(policy: MakePolicy) -> None:
    summary = verdict(policy(), policy()).summary()
    assert summary["count"] == len(CASES)
    assert summary["passes"]
    assert summary["draft"]["accuracy"] == 1.0
    assert "mistakes" not in summary
