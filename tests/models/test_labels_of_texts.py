"""Classification by the real MiniLM."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers import batching
from workers.backends import zero_shot
from workers.backends.base import Cancellation, Outcome, Run
from workers.backends.zero_shot import MAX_WINDOWS, ZeroShotBackend, classify
from workers.errors import InputError


def named(*names: str) -> list[dict[str, Any]]:
    return [{"name": name} for name in names]


def answer(text: str, *names: str, **options: Any) -> tuple[str, Outcome]:
    """What a person reads, and how the run ended."""
    run = Run("classify", [{"role": "user", "content": text}], {"labels": named(*names), **options})
    deltas = ZeroShotBackend().stream(run, Cancellation())
    pieces = []
    while True:
        try:
            pieces.append(next(deltas))
        except StopIteration as end:
            return "".join(pieces), end.value


def best(text: str, *names: str) -> str:
    return classify([text], named(*names))[0].best


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("You won a gift card worth 500 dollars! Click this link to claim it now.", ["spam", "not spam"]),
        ("See you at the station at six, I'll bring the tickets.", ["not spam", "spam"]),
        ("The plot dragged and I nearly fell asleep.", ["negative", "positive"]),
        ("What a delight, I laughed from start to finish.", ["positive", "negative", "neutral"]),
        ("You are all idiots, get lost.", ["offensive", "not-offensive"]),
        ("The button does nothing since the last release.", ["bug", "feature request"]),
        ("The whole production line stands still, send somebody now!", ["urgent", "not urgent"]),
        ("The midfielder scored in extra time.", ["Sports", "World", "Business", "Sci/Tech"]),
        ("You have charged my card twice for one order.", ["billing", "technical", "other"]),
        ("Das Essen war wunderbar, wir kommen wieder.", ["positiv", "negativ"]),
        ("Wir treffen uns morgen vor dem Kino.", ["German", "English", "French"]),
        ("I cannot stop crying since the funeral.", ["sadness", "joy", "anger"]),
        ("The judge sent him to prison for four years.", ["law", "cooking", "gardening"]),
    ],
)
def test_it_finds_the_right_label(text: str, names: list[str]) -> None:
    assert best(text, *sorted(names)) == names[0]


def test_the_answer_names_every_label_best_first() -> None:
    text, outcome = answer("The judge sent him to prison.", "gardening", "law", "cooking")
    scores = outcome.result["scores"]
    assert text.startswith("**law**\n\n| Label | Score |")
    assert [line.split("|")[1].strip() for line in text.split("\n")[4:]] == [entry["label"] for entry in scores]
    assert outcome.result["best"] == "law"
    assert outcome.result["fits"]
    assert outcome.prompt_tokens


@settings(max_examples=15, deadline=None)
@given(
    st.text(min_size=1, max_size=200).filter(lambda text: any(map(str.isalnum, text))),
    st.lists(st.text(min_size=1, max_size=20).filter(str.strip), min_size=2, max_size=6, unique=True),
)
def test_any_text_gets_probabilities_of_all_labels(text: str, names: list[str]) -> None:
    (reading,) = classify([text], named(*names))
    assert sorted(label for label, _ in reading.scores) == sorted(names)
    assert sum(score for _, score in reading.scores) == pytest.approx(1, abs=1e-4)
    assert [score for _, score in reading.scores] == sorted((score for _, score in reading.scores), reverse=True)


def test_it_says_when_no_label_fits() -> None:
    text, outcome = answer("The volcano erupted in 1883 and ash fell for days.", "billing", "delivery")
    assert not outcome.result["fits"]
    assert text.startswith("None of these labels really fits this text. The nearest is **")


def test_other_is_for_what_fits_nothing_else() -> None:
    assert best("The volcano erupted in 1883 and ash fell for days.", "billing", "delivery", "other") == "other"
    assert best("Where is my parcel? It should have come on Monday.", "billing", "delivery", "other") == "delivery"


def test_a_lone_concept_is_told_from_everything_else() -> None:
    assert best("The bride wore white and both families danced.", "wedding", "not wedding") == "wedding"
    assert best("The printer is out of toner again.", "wedding", "not wedding") == "not wedding"


def test_a_description_says_what_a_label_means() -> None:
    labels = [
        {"name": "A", "description": "questions about plants and gardens"},
        {"name": "B", "description": "questions about cars and repairs"},
    ]
    readings = classify(["When do I cut back my roses?", "My brakes squeal when I stop."], labels)
    assert [reading.best for reading in readings] == ["A", "B"]


def test_examples_teach_labels_whose_names_say_nothing() -> None:
    labels = [
        {"name": "X", "examples": ["The tap drips.", "Our sink is blocked.", "No hot water in the bathroom."]},
        {"name": "Y", "examples": ["The lamp flickers.", "There is no power in the socket.", "The fuse blew again."]},
    ]
    readings = classify(["The toilet keeps running.", "Half of the lights went out."], labels)
    assert [reading.best for reading in readings] == ["X", "Y"]


def test_a_label_without_examples_still_takes_part() -> None:
    labels: list[dict[str, Any]] = [
        {"name": "plumbing", "examples": ["The tap drips."]},
        {"name": "electricity", "examples": ["The lamp flickers."]},
        {"name": "thank you"},
    ]
    (reading,) = classify(["Thank you so much for your help!"], labels)
    assert reading.best == "thank you"


def test_several_things_get_a_row_each() -> None:
    text, outcome = answer(
        "toaster, sofa, drill", "kitchen", "living room", "garage", items=["toaster", "sofa", "drill"]
    )
    rows = text.split("\n")
    assert rows[0] == "|  | Best label | kitchen | living room | garage |"
    assert [row.split(" | ")[:2] for row in rows[2:]] == [
        ["| toaster", "**kitchen**"],
        ["| sofa", "**living room**"],
        ["| drill", "**garage**"],
    ]
    assert [item["best"] for item in outcome.result["items"]] == ["kitchen", "living room", "garage"]


def test_a_list_without_a_counterpart_is_divided() -> None:
    names = ["social media platforms", "not social media platforms"]
    readings = classify(["Instagram", "screwdriver", "LinkedIn", "potato", "Facebook"], named(*names))
    assert [reading.best for reading in readings] == [names[0], names[1], names[0], names[1], names[0]]


def test_labels_and_things_cannot_break_the_table() -> None:
    text, _ = answer("a|b, <i>", "x|y", "*z*", items=["a|b", "<i>"])
    assert r"a\|b" in text
    assert r"x\|y" in text
    assert r"\*z\*" in text
    assert r"\<i>" in text


def test_all_of_a_long_text_counts() -> None:
    cooking, law = "Fry the onions in butter. " * 60, "The court heard the witness and the judge. " * 60
    assert best(cooking + law * 4, "cooking", "law") == "law"
    assert best(cooking * 4 + law, "cooking", "law") == "cooking"


def test_of_a_very_long_text_it_says_what_was_read() -> None:
    text, outcome = answer("The court heard the witness. " * 5000, "cooking", "law")
    assert outcome.result["best"] == "law"
    assert f"{MAX_WINDOWS} passages spread over all of it were read" in text


@pytest.mark.parametrize(
    ("text", "names", "code"),
    [("text", [], "no_labels"), ("text", ["one"], "one_label"), ("😀 …", ["one", "two"], "nothing_to_classify")],
)
def test_it_refuses_what_cannot_be_classified(text: str, names: list[str], code: str) -> None:
    with pytest.raises(InputError) as refusal:
        classify([text], named(*names))
    assert refusal.value.code == code


def test_it_stops_when_asked_to() -> None:
    cancellation = Cancellation()
    cancellation.set()
    run = Run("classify", [{"role": "user", "content": "text"}], {"labels": named("one", "two")})
    assert list(ZeroShotBackend().stream(run, cancellation)) == []


def test_labels_and_their_examples_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    text, encode = "The parcel never came.", batching.encode
    read: list[str] = []

    def encode_noting(texts: list[str], *others: Any) -> Any:
        read.extend(texts)
        return encode(texts, *others)

    labels = [{"name": "delivery", "examples": ["Where is it?"]}, {"name": "account", "examples": ["Close it."]}]
    first = classify([text], labels)
    monkeypatch.setattr(batching, "encode", encode_noting)
    assert classify([text], labels) == first
    assert read == [text]


def test_what_another_thread_forgets_meanwhile_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class Forgotten(dict[Any, Any]):
        def __contains__(self, key: object) -> bool:
            is_there = super().__contains__(key)
            self.clear()
            return is_there

    first = classify(["The parcel never came."], named("delivery", "account"))
    monkeypatch.setattr(zero_shot, "_remembered", Forgotten(zero_shot._remembered))
    assert classify(["The parcel never came."], named("delivery", "account")) == first
