"""Nobody moves the router alone."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router import training
from router.classifier import RoleClassifier
from router.corrections import ALONE, weights
from router.training_data import Sample
from tests.router.conftest import small_samples

CORRECTIONS = st.lists(st.tuples(st.sampled_from("abcdefg"), st.sampled_from(["one", "other"])), max_size=60)


def of(*people: tuple[str, int]) -> list[tuple[str, str]]:
    """So many corrections of each person, all of one kind."""
    return [(person, "kind") for person, number in people for _ in range(number)]


def totals(corrections: list[tuple[str, str]]) -> dict[str, float]:
    found: defaultdict[str, float] = defaultdict(float)
    for (person, _), weight in zip(corrections, weights(corrections), strict=True):
        found[person] += weight
    return found


@given(CORRECTIONS)
def test_nobody_has_more_than_a_third_of_a_kind_or_what_everybody_has(corrections: list[tuple[str, str]]) -> None:
    for kind in ("one", "other"):
        of_kind = [correction for correction in corrections if correction[1] == kind]
        found = totals(of_kind)
        for total in found.values():
            assert total <= max(ALONE, sum(found.values()) / 3) + 1e-9


@given(CORRECTIONS)
def test_every_correction_counts_something_and_none_more_than_one(corrections: list[tuple[str, str]]) -> None:
    assert all(0 < weight <= 1 for weight in weights(corrections))


@given(CORRECTIONS)
def test_the_kinds_do_not_touch_each_other(corrections: list[tuple[str, str]]) -> None:
    together = [weight for (_, kind), weight in zip(corrections, weights(corrections), strict=True) if kind == "one"]
    assert together == weights([correction for correction in corrections if correction[1] == "one"])


def test_three_people_who_say_the_same_are_heard_in_full() -> None:
    assert weights(of(("a", 4), ("b", 4), ("c", 4))) == [1.0] * 12


def test_whoever_files_a_hundred_is_heard_no_more_than_the_others_allow() -> None:
    assert totals(of(("a", 100), ("b", 2), ("c", 2))) == pytest.approx({"a": 2, "b": 2, "c": 2})


@pytest.mark.parametrize("people", [1, 2])
def test_fewer_than_three_people_count_little(people: int) -> None:
    found = totals(of(*(("abc"[number], 100) for number in range(people))))
    assert list(found.values()) == pytest.approx([ALONE] * people)


# --- What that means for the classifier -------------------------------------------------------------------------


@pytest.fixture
def small_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refit that keeps what the small classifier says of its own messages, instead of thousands of ours."""
    monkeypatch.setattr(training, "own_samples", lambda seed: small_samples())


def learn(artefact: bytes, people: list[str], times: int, text: str, role: str) -> RoleClassifier:
    """The classifier after each of `people` said so many times that such messages are of another role."""
    filed: list[Any] = [(person, number) for person in people for number in range(times)]
    extra = [
        Sample(f"{text} {number}", role, f"{text} {number}", "correction", weight=weight)
        for (_, number), weight in zip(filed, weights([(person, role) for person, _ in filed]), strict=True)
    ]
    return RoleClassifier.load(training.refit(artefact, extra, 1))


def best(classifier: RoleClassifier, text: str) -> str:
    return classifier.tell(text).role


@pytest.mark.usefixtures("small_data")
def test_one_person_with_a_hundred_corrections_flips_nothing_that_is_sure(artefact: bytes) -> None:
    text = "summarise this article"
    before = RoleClassifier.load(artefact)
    assert max(before.tell(text).probabilities.values()) > 0.8
    after = learn(artefact, ["a"], 100, text, "generate")
    for message in (text, f"{text} 7"):  # the second one is among the hundred
        assert best(after, message) == best(before, message)


@pytest.mark.usefixtures("small_data")
def test_three_people_do_move_it(artefact: bytes) -> None:
    text = "brief the board on the merger"
    before = RoleClassifier.load(artefact)
    wanted = next(role for role in before.roles if role != best(before, text))
    assert best(learn(artefact, ["a", "b", "c"], 5, text, wanted), text) == wanted
