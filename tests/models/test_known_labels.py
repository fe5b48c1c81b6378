"""The everyday labels and the vocabulary that the project brings."""

from __future__ import annotations

import pytest

from workers.prompts.known_labels import LabelSet, is_catch_all, is_negation, known, label_sets, plain_name


def names(*labels: str) -> list[str | None]:
    return [entry.name if entry else None for entry in known(labels)]


@pytest.mark.parametrize("labels", label_sets(), ids=lambda labels: labels.name)
def test_a_set_is_complete(labels: LabelSet) -> None:
    for label in labels.by_name.values():
        assert label.says
        assert label.description
        assert not label.without or label.without in labels.by_name
    implied = [name for name in labels.implies if not is_catch_all(name) or labels.find(name)]
    found = [labels.find(name) for name in implied]
    assert len({entry.name for entry in found if entry}) == len(implied)


@pytest.mark.parametrize("labels", label_sets(), ids=lambda labels: labels.name)
def test_no_name_means_two_labels_of_one_set(labels: LabelSet) -> None:
    meanings: dict[str, set[str]] = {}
    for entry in labels.by_name.values():
        for key in (entry.name, *entry.aliases):
            meanings.setdefault(plain_name(key), set()).add(entry.name)
    assert {key: found for key, found in meanings.items() if len(found) > 1} == {}


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["Positive", "NEGATIVE"], ["positive", "negative"]),
        (["spam", "not spam"], ["spam", "legitimate"]),
        (["non-toxic", "toxic"], ["harmless", "offensive"]),
        (["kein Spam", "Spam"], ["legitimate", "spam"]),
        (["a complaint", "a question"], ["complaint", "question"]),
        (["positive review", "negative review"], ["positive", "negative"]),
        (["billing", "technical", "other"], ["billing", "technical", None]),
        (["kittens", "spam"], [None, None]),
        (["good", "positive"], [None, None]),
    ],
)
def test_labels_are_recognised_together(labels: list[str], expected: list[str | None]) -> None:
    assert names(*labels) == expected


def test_catch_alls_and_negations_are_told() -> None:
    assert all(map(is_catch_all, ("other", "None of these", "Sonstiges", "autre")))
    assert not is_catch_all("brother")
    assert all(map(is_negation, ("not urgent", "non-toxic", "kein Spam")))
    assert not is_negation("notable")
