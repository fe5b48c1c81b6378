"""Which labels a message names, and what is to get one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers import prompts
from workers.errors import InputError

TEXT = "The card was charged twice and nobody answers my calls."


def classify(message: str, history: Any = (), labels: Any = ()) -> tuple[list[str], str]:
    """The names of the labels, and the text."""
    prompt = prompts.build("classify", message, history, labels=labels)
    return [label["name"] for label in prompt.options["labels"]], prompt.messages[-1]["content"]


def items(message: str) -> list[str]:
    return prompts.build("classify", message).options.get("items", [])


@pytest.mark.parametrize(
    ("instruction", "names"),
    [
        ("is this spam or not spam", ["spam", "not spam"]),
        ("Is this spam or not?", ["spam", "not spam"]),
        ("classify as billing, technical, other", ["billing", "technical", "other"]),
        ("Classify the following as positive, negative or neutral", ["positive", "negative", "neutral"]),
        ("positive/negative/neutral?", ["positive", "negative", "neutral"]),
        ("bug or feature request?", ["bug", "feature request"]),
        ("labels: [angry, calm]", ["angry", "calm"]),
        ("Categories: refunds | shipping | account", ["refunds", "shipping", "account"]),
        ("Does this belong under 'sales', 'support' or 'accounting'?", ["sales", "support", "accounting"]),
        ("[refund] [exchange] [other]", ["refund", "exchange", "other"]),
        ("triage please (p1/p2/p3)", ["p1", "p2", "p3"]),
        ("urgent or can it wait?", ["urgent", "can it wait"]),
        ("Which team should get this: sales, legal or IT?", ["sales", "legal", "IT"]),
        ("Is the tone friendly, neutral or hostile?", ["friendly", "neutral", "hostile"]),
        ("Does this review convey a negative or positive sentiment?", ["negative", "positive"]),
        ("is it a) a question b) a complaint c) praise", ["question", "complaint", "praise"]),
        ("Mark it with O for opinion or F for fact", ["O", "F"]),
        ("Rate the urgency from 1 (none) to 3 (extreme)", ["1", "2", "3"]),
        ("Ist das eine Beschwerde oder eine Frage?", ["Beschwerde", "Frage"]),
        ("Est-ce positif, neutre ou négatif ?", ["positif", "neutre", "négatif"]),
        ("¿es urgente o no?", ["urgente", "not urgente"]),
        ("Dimmi se è un reclamo o un complimento", ["reclamo", "complimento"]),
        ("É uma reclamação ou um elogio?", ["reclamação", "elogio"]),
        ("Is dit een klacht of een compliment?", ["klacht", "compliment"]),
        ("is this urgent?", ["urgent", "not urgent"]),
        ("Is this message toxic?", ["toxic", "not toxic"]),
        ("clickbait y/n", ["clickbait", "not clickbait"]),
        ("does this mention money, yes or no?", ["yes", "no"]),
        ("What is the sentiment?", ["positive", "negative", "neutral"]),
        ("How many stars would they give, 1 to 5?", ["1 star", "2 stars", "3 stars", "4 stars", "5 stars"]),
    ],
)
@pytest.mark.parametrize("form", ["{0}\n\n{1}", "{1}\n\n{0}", '{0} "{1}"', "{0}\n{1}"])
def test_labels_are_found_before_and_after_the_text(instruction: str, names: list[str], form: str) -> None:
    assert classify(form.format(instruction, TEXT)) == (names, TEXT)


@pytest.mark.parametrize(
    "message",
    [
        f"is this spam or not spam: {TEXT}",
        f"spam or not spam? {TEXT}",
        f"spam, not spam: {TEXT}",
        f"Is this spam?\n===\n{TEXT}",
    ],
)
def test_labels_and_text_can_share_a_line(message: str) -> None:
    assert classify(message) == (["spam", "not spam"], TEXT)


@pytest.mark.parametrize(
    "text",
    [
        'He said "you won a prize" to me yesterday.',
        "<b>Win</b> a prize now, just click on the <i>link</i>.",
        "Do you want cash or a cheque? Either is fine.",
        "We open at 10:30 (or later), see our list: bread, milk or cheese.",
    ],
)
def test_quotations_and_alternatives_within_the_text_stay_in_it(text: str) -> None:
    assert classify(f"is this spam or not spam: {text}") == (["spam", "not spam"], text)
    assert classify(f"{text}\n\nIs this spam or not spam?") == (["spam", "not spam"], text)


def test_a_list_of_labels_can_have_descriptions() -> None:
    message = (
        f"Classify this with these labels:\n- refund: wants money back\n- praise: says thank you\n- other\n\n{TEXT}"
    )
    prompt = prompts.build("classify", message)
    assert prompt.options["labels"] == [
        {"name": "refund", "description": "wants money back"},
        {"name": "praise", "description": "says thank you"},
        {"name": "other"},
    ]
    assert prompt.messages[-1]["content"] == TEXT
    assert "- refund: wants money back" in prompt.messages[0]["content"]


@pytest.mark.parametrize("count", [5, 100])
@pytest.mark.parametrize("mark", ["- ", "* ", "{}. "])
def test_a_list_of_labels_is_not_taken_apart(count: int, mark: str) -> None:
    """Also where the first of them are known to belong together, or the list is longer than an instruction."""
    names = ["billing", "refund", *(f"kind {number}" for number in range(2, count))]
    listed = "\n".join(mark.format(number + 1) + name for number, name in enumerate(names))
    assert classify(f"Classify as one of these labels:\n{listed}\n\nText: {TEXT}") == (names, TEXT)
    assert classify(f"{TEXT}\n\nWhich of these labels is it?\n{listed}") == (names, TEXT)


def test_a_message_can_be_json() -> None:
    assert classify(f'{{"labels": ["bug", "docs"], "text": "{TEXT}"}}') == (["bug", "docs"], TEXT)
    labels = [{"name": "bug", "description": "it breaks"}, "docs", "docs", "***", {}, "A-", "A"]
    prompt = prompts.build("classify", json.dumps({"labels": labels, "text": TEXT}))
    assert prompt.options["labels"] == [
        {"name": "bug", "description": "it breaks"},
        *({"name": name} for name in ("docs", "A-", "A")),
    ]


def test_examples_in_the_message_are_examples_of_its_labels() -> None:
    prompt = prompts.build(
        "classify", '"cancel it" => ACCOUNT\n"where is my parcel" => SHIPPING\n"the box is empty" =>'
    )
    assert prompt.options["labels"] == [
        {"name": "ACCOUNT", "examples": ["cancel it"]},
        {"name": "SHIPPING", "examples": ["where is my parcel"]},
    ]
    assert prompt.messages[-1]["content"] == "the box is empty"


def test_implied_labels_are_described() -> None:
    labels = prompts.build("classify", f"sentiment of: {TEXT}").options["labels"]
    assert all(label["description"] for label in labels)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Identify which animal is domesticated or wild: White cockatoo, Pigeon", ["White cockatoo", "Pigeon"]),
        ("which of these are mammals: cat, shark and whale", ["cat", "shark", "whale"]),
        ("Sort these into fruit and vegetables: plum, leek, pear.", ["plum", "leek", "pear"]),
        ("acids or bases: vinegar, baking soda, lemon juice", ["vinegar", "baking soda", "lemon juice"]),
        ("Sentiment of each line please\n1. It broke.\n2. Lovely, thanks.", ["It broke.", "Lovely, thanks."]),
        ('polite or rude? "Close the door." "Would you please?"', ["Close the door.", "Would you please?"]),
        ("classify each as metal or gas:\niron\nhelium\ncopper", ["iron", "helium", "copper"]),
        (f"spam or not spam: {TEXT}", []),
        ("positive or negative: it was loud, dirty and far too expensive for what we got in return", []),
    ],
)  # fmt: skip
def test_several_things_are_told_from_one_text(message: str, expected: list[str]) -> None:
    assert items(message) == expected


def test_the_noun_that_labels_share_describes_them() -> None:
    labels = prompts.build("classify", "Identify which animal is domesticated or wild: yak, hen").options["labels"]
    assert [label["description"] for label in labels] == ["domesticated animal", "wild animal"]


ROUTE: list[dict[str, Any]] = [
    {"name": "billing", "description": "invoices"},
    {"name": "technical", "examples": ["it crashes"]},
]


@pytest.mark.parametrize(
    "message", [TEXT, f"please classify this: {TEXT}", f'Which category? "{TEXT}"', f"{TEXT}\n\nClassify this please"]
)
def test_a_message_without_labels_takes_those_of_the_route(message: str) -> None:
    prompt = prompts.build("classify", message, labels=ROUTE)
    assert prompt.options["labels"] == ROUTE
    assert prompt.messages[-1]["content"] == TEXT


def test_a_customers_alternatives_are_no_labels_for_a_route() -> None:
    message = "Should I pay by card or in cash? The invoice does not say."
    assert classify(message, labels=ROUTE) == (["billing", "technical"], message)


def test_labels_in_the_message_come_before_those_of_the_route() -> None:
    assert classify(f"classify as red, green or blue: {TEXT}", labels=ROUTE)[0] == ["red", "green", "blue"]


HISTORY = [
    {"role": "user", "content": "classify as complaint, praise or question: When do you open?"},
    {"role": "assistant", "content": "**question**"},
]


@pytest.mark.parametrize("message", [f"and this one: {TEXT}", f'next: "{TEXT}"', f"And this:\n{TEXT}"])
def test_one_more_text_gets_the_labels_of_the_conversation(message: str) -> None:
    assert classify(message, HISTORY) == (["complaint", "praise", "question"], TEXT)


def test_the_text_can_be_what_was_said_before() -> None:
    history = [
        {"role": "user", "content": "Translate: Ihr seid toll!"},
        {"role": "assistant", "content": "You are great!"},
    ]
    assert classify("positive or negative?", history) == (["positive", "negative"], "You are great!")


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (f"labels: spam. {TEXT}", "one_label"),
        (f"Labels: [billing]\n{TEXT}", "one_label"),
        (f"please classify this: {TEXT}", "no_labels"),
        (TEXT, "no_labels"),
        ("", "no_labels"),
        (json.dumps({"labels": ["a", "a"], "text": TEXT}), "one_label"),
        (json.dumps({"labels": [f"label {number}" for number in range(201)], "text": TEXT}), "too_many_labels"),
        ("\n".join(f"text {number} => L{number}" for number in range(201)) + "\nanother =>", "too_many_labels"),
        ("is this spam or not spam?", "nothing_to_classify"),
        ("classify as billing, technical or other", "nothing_to_classify"),
    ],
)
def test_what_is_missing_is_said(message: str, code: str) -> None:
    with pytest.raises(InputError) as refusal:
        classify(message)
    assert refusal.value.code == code


@given(st.text(max_size=200), st.booleans())
def test_any_message_is_read_or_refused(message: str, has_labels: bool) -> None:
    try:
        names, text = classify(message, HISTORY, ROUTE if has_labels else ())
    except InputError as error:
        code = error.code
    else:
        code = "" if len(names) >= 2 and text else "too little"
    assert code in ("", "one_label", "no_labels", "too_many_labels", "nothing_to_classify")


@pytest.mark.parametrize(
    "typed", ["billing, technical, other", "billing, technical or other", "billing\ntechnical\nother"]
)
def test_who_was_asked_for_labels_writes_nothing_else(typed: str) -> None:
    asked = [{"role": "user", "content": f"Classify this: {TEXT}"}]  # it has no answer: that asked for labels
    assert classify(typed, asked) == (["billing", "technical", "other"], TEXT)
    answered = [*asked, {"role": "assistant", "content": "billing"}]
    assert classify(f"spam or not spam: {TEXT}", asked) == (["spam", "not spam"], TEXT)
    with pytest.raises(InputError):
        classify("red, round, heavy", answered)


@pytest.mark.parametrize("run", [" ", "\n", "?", " \t?", "-", "a", "a, ", "(a", "a => b\n"])
def test_a_message_of_half_a_million_of_the_same_is_read(run: str) -> None:
    """What looks on to the end from each character would take an hour for it."""
    names, text = classify(f"Spam or praise?\n\nIt begins {run * (500_000 // len(run))}")
    assert names == ["Spam", "praise"]
    assert text.startswith("It begins")


def test_blanks_after_the_word_for_labels_are_read_in_one_go() -> None:
    """Looked for in every way to share them out, a thousand would take hours."""
    names, _ = classify(f'Is this spam? "You have won a prize. Mind the labels:{" " * 300_000}x, y are fine."')
    assert names == ["spam", "not spam"]
    asked = [{"role": "user", "content": f"Classify this: {TEXT}"}]
    assert classify("red" + "\n" * 300_000 + "blue", asked)[0] == ["red", "blue"]
