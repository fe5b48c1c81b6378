"""What a message that asks for a summary is about, and how it is wished."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.models.passages import CHINESE, FERRY, GARDEN
from workers import prompts
from workers.errors import InputError
from workers.prompts.summarise import separate
from workers.prompts.wishes import wish

TEXT = " ".join(FERRY)
QUOTING = f'{GARDEN[0]} "We mow less," says one owner. {GARDEN[1]} The club calls it "a quiet change". {GARDEN[2]}'


def summarise(message: str, history: Any = ()) -> tuple[str, dict[str, Any]]:
    """The text that is summarised, and the options."""
    prompt = prompts.build("summarise", message, history)
    return prompt.messages[-1]["content"], prompt.options


INSTRUCTIONS = [
    "Summarise this in two sentences",
    "tl;dr",
    "Can you give me the gist of this?",
    "please sumarize, max 50 words",
    "I have no time to read this. What is it about, in one line?",
    "What are the main takeaways?",
    "Write a headline for this article",
    "shorten this to half its length",
    "Fasse den folgenden Text in drei Sätzen zusammen",
    "Worum geht es? Bitte eine Kurzfassung",
    "Résume ce texte en 50 mots",
    "Resume el siguiente texto en tres puntos",
    "Riassumi in breve",
    "Resuma o texto em três frases",
    "Vat deze tekst samen in twee zinnen",
]
FORMS = [
    "{0}\n\n{1}",
    "{0}:\n{1}",
    "{0}: {1}",
    "{1}\n\n{0}",
    "{1}\n{0}",
    '{0}: "{1}"',
    "{0}:\n```\n{1}\n```",
    "{1}\n\n{0}\n\nThanks!",
]


@pytest.mark.parametrize("instruction", INSTRUCTIONS)
@pytest.mark.parametrize("form", FORMS)
def test_the_text_comes_whole_and_without_the_instruction(instruction: str, form: str) -> None:
    for text in (TEXT, QUOTING, "\n\n".join(GARDEN), CHINESE):
        parts = separate(form.format(instruction, text))
        assert parts.text == text
        assert instruction in parts.instruction


def test_an_instruction_can_stand_on_both_sides() -> None:
    parts = separate(f"Please summarise this e-mail:\n\n{TEXT}\n\nNo more than 40 words. Thanks!")
    assert parts.text == TEXT
    assert wish(parts.instruction) == {"words": 40}


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        f"In summary, the plan failed. {TEXT}",
        f"{TEXT} In short, nobody was happy about the decision at all.",
        f'"We are done here," said Ann. {TEXT} "So it goes."',
        f"Summary of the year. {TEXT}\n\nShe gave him a summary of the plan.",
        "\n\n".join(("What is love?", *FERRY[:3], "What is hate?", *FERRY[3:])),
    ],
)
def test_a_text_without_an_instruction_stays_whole(text: str) -> None:
    assert separate(text).text == text
    assert separate(text).instruction == ""


@given(st.lists(st.sampled_from(FERRY + GARDEN), min_size=2, max_size=12), st.sampled_from([" ", "\n", "\n\n"]))
def test_no_sentence_of_a_text_is_lost(sentences: list[str], joint: str) -> None:
    text = joint.join(sentences)
    assert separate(text).text == text
    assert separate(f"Summarise:\n\n{text}").text == text


def test_several_quotations_are_one_text() -> None:
    parts = separate(
        'Put this feedback in a nutshell: "Too much theory today." "The slides were unreadable." "More role play!"'
    )
    assert parts.text == "Too much theory today.\nThe slides were unreadable.\nMore role play!"


def test_a_question_about_a_text_is_no_part_of_it() -> None:
    text, options = summarise(f"Who wants to buy the smaller ship?\n\n{TEXT}")
    assert text == TEXT
    assert options["focus"] == "wants smaller ship"


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        ("in two sentences", {"sentences": 2}),
        ("in einem Satz", {"sentences": 1}),
        ("en trois phrases maximum", {"sentences": 3}),
        ("in one short line please", {"sentences": 1}),
        ("write a 100-word abstract", {"words": 100}),
        ("höchstens fünfzig Wörter", {"words": 50}),
        ("en 30 palabras", {"words": 30}),
        ("three bullet points", {"form": "bullets", "bullets": 3}),
        ("in 5 Stichpunkten", {"form": "bullets", "bullets": 5}),
        ("dammi tre punti chiave", {"form": "bullets", "bullets": 3}),
        ("the key points", {"form": "bullets"}),
        ("a headline, 8 words at most", {"form": "headline", "words": 8}),
        ("give it a title", {"form": "headline"}),
        ("keep it short", {"length": "short"}),
        ("kurz bitte", {"length": "short"}),
        ("a detailed summary", {"length": "detailed"}),
        ("trim it to a third", {"share": 1 / 3}),
        ("auf die Hälfte", {"share": 0.5}),
        ("to 20 % of its length", {"share": 0.2}),
        ("用三句话总结", {"sentences": 3}),
        ("summarise this", {}),
    ],
)
def test_the_wish_is_read(instruction: str, expected: dict[str, Any]) -> None:
    assert wish(instruction) == expected


ANSWER = " ".join(GARDEN)
TALK = [
    {"role": "user", "content": "Why do people mow less?"},
    {"role": "assistant", "content": ANSWER},
    {"role": "user", "content": "thanks"},
    {"role": "assistant", "content": FERRY[0]},
]


@pytest.mark.parametrize(
    "message",
    [
        "tl;dr",
        "shorter please",
        "summarise your last answer",
        "Fass das kurz zusammen",
        "half that length",
        "en bref ?",
    ],
)
def test_a_request_without_a_text_means_the_last_answer(message: str) -> None:
    assert summarise(message, TALK)[0] == FERRY[0]


@pytest.mark.parametrize(
    "message",
    [
        "sum up what we discussed so far",
        "summarise this conversation",
        "Fasse unser Gespräch zusammen",
        "tl;dr of everything above",
    ],
)
def test_all_that_was_said_can_be_meant(message: str) -> None:
    text, _ = summarise(message, TALK)
    assert text == f"User:\n{TALK[0]['content']}\n\nAssistant:\n{ANSWER}\n\nUser:\nthanks\n\nAssistant:\n{FERRY[0]}"


def test_what_the_person_pasted_can_be_meant() -> None:
    history = [
        {"role": "user", "content": f"Who wrote this?\n\n{TEXT}"},
        {"role": "assistant", "content": "I do not know."},
    ]
    assert summarise("now summarise the article", history)[0] == TEXT


def test_more_detail_goes_back_to_the_text() -> None:
    history = [{"role": "user", "content": f"Summarise:\n\n{TEXT}"}, {"role": "assistant", "content": FERRY[0]}]
    text, options = summarise("in more detail please", history)
    assert text == TEXT
    assert options == {"length": "detailed"}


@pytest.mark.parametrize(
    "message", ["summarise", "please summarise the article below", "tl;dr?", "in two sentences please", ""]
)
def test_a_request_with_nothing_to_refer_to_is_refused(message: str) -> None:
    with pytest.raises(InputError) as refusal:
        summarise(message)
    assert refusal.value.code == "nothing_to_summarise"


def test_one_sentence_is_a_text_too() -> None:
    assert summarise(f"summarise: {FERRY[0]}")[0] == FERRY[0]


def test_a_chat_model_is_told_the_wish() -> None:
    prompt = prompts.build("summarise", f"In two sentences please:\n\n{TEXT}")
    assert [message["role"] for message in prompt.messages] == ["system", "user"]
    assert prompt.messages[0]["content"].endswith("Write plain sentences, at most 2 sentences.")


def test_a_routes_template_takes_the_wish_where_it_names_it() -> None:
    prompt = prompts.build(
        "summarise", f"Shorten this:\n\n{TEXT}", template="Be calm. {wish} Keep {braces} as they are."
    )
    assert prompt.messages[0]["content"].startswith("Be calm. Write plain sentences")
    assert prompt.messages[0]["content"].endswith("Keep {braces} as they are.")


@given(st.text(max_size=300))
def test_any_message_is_read_or_refused(message: str) -> None:
    try:
        text, _ = summarise(message)
    except InputError as error:
        text = error.code
    assert text.strip()


@pytest.mark.parametrize("run", ["a", "0", "<a>\n", "```\n", "a\n\n"])
def test_a_message_of_three_hundred_thousand_of_the_same_is_read(run: str) -> None:
    """What looks on to the end from each character would take hours for it."""
    assert summarise(f"Summarise this:\n\nIt begins. {run * (300_000 // len(run))}")[0].startswith("It begins.")


def test_a_text_between_tags_is_the_text() -> None:
    assert summarise(f"Summarise this:\n<x>\n<text>\n{TEXT}\n</text>")[0] == TEXT
