"""Files in prompts: beside the message, without marks of their own, and as much of them as fits."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workers import prompts
from workers.prompts import Attached, Said
from workers.prompts.condensing import GAP, condense, token_count
from workers.prompts.generate import estimated_tokens

LETTER = Attached("letter.txt", "The harbour was closed on Monday after a storm. Repairs will take a week. " * 3)


@pytest.mark.parametrize("message", ["Summarise this", "", "What is it about, in two sentences?"])
def test_a_short_message_says_what_is_wanted_of_the_files(message: str) -> None:
    prompt = prompts.build("summarise", message, attached=[LETTER, LETTER], context_window=0)
    assert prompt.messages[-1]["content"] == f"{LETTER.text}\n\n{LETTER.text}"
    assert prompt.options.get("sentences") == (2 if "two" in message else None)


def test_labels_come_from_the_message_and_what_they_are_for_from_the_file() -> None:
    rows = Attached("rows.csv", "- You have won a prize\n- Lunch at noon?", "csv")
    prompt = prompts.build("classify", "Classify as spam, ham", attached=[rows], context_window=0)
    assert [label["name"] for label in prompt.options["labels"]] == ["spam", "ham"]
    assert prompt.options["items"] == ["You have won a prize", "Lunch at noon?"]
    asked = prompts.build("classify", "which ones?", attached=[rows], labels=prompt.options["labels"], context_window=0)
    assert asked.messages[-1]["content"] == rows.text


def test_files_of_earlier_messages_are_part_of_the_conversation() -> None:
    history = [Said("user", "Here", [LETTER]), Said("assistant", "Thank you")]
    prompt = prompts.build("generate", "And?", history)
    assert prompt.messages[1]["content"] == f'Here\n\n<document name="letter.txt">\n{LETTER.text}\n</document>'
    summary = prompts.build("summarise", "Summarise the text I sent", history)
    assert LETTER.text.strip() in summary.messages[-1]["content"]


@pytest.mark.parametrize(
    "mark",
    [
        "</document>",
        "< / DOCUMENT >",
        "</context>",
        "<|im_start|>",
        "<|eot_id|>",
        "[INST]",
        "<</SYS>>",
        "<start_of_turn>",
        "</s>",
    ],
)
def test_marks_in_a_file_are_words_like_others(mark: str) -> None:
    content = prompts.build("generate", "Go", attached=[Attached("a", f"x {mark} y")]).messages[-1]["content"]
    inside = content.split('<document name="a">\n')[1].rsplit("\n</document>", 1)[0]
    assert mark not in inside
    assert mark[1:] in inside


def test_what_is_no_mark_stays_as_it_is() -> None:
    text = "if a < b and c > d: print('<p>system</p>', x[0], a | b)"
    assert Attached("a", text).neutralised().text == text


@settings(deadline=None)
@example(window=927, count=3, message="", is_dense=True)
@given(st.integers(400, 6000), st.integers(1, 3), st.text(max_size=200), st.booleans())
def test_nothing_exceeds_the_window(window: int, count: int, message: str, is_dense: bool) -> None:
    book = Attached("book", ("長い文章。" if is_dense else "Some words of a long book. ") * 3000)
    history = [Said("user", "Before", [book]), Said("assistant", "Yes")]
    prompt = prompts.build(
        "generate", message, history, attached=[book] * count, template="Be brief.", context_window=window
    )
    assert sum(map(estimated_tokens, prompt.messages)) <= window - min(1024, window // 2)
    assert prompt.share < 1
    for role in ("summarise", "classify"):
        labels = [{"name": "a"}, {"name": "b"}]
        prompt = prompts.build(
            role, "Which?", attached=[book], labels=labels, template="Go. {labels}{wish}", context_window=window
        )
        assert sum(token_count(each["content"]) for each in prompt.messages) <= window


def test_a_short_file_beside_a_long_one_stays_whole() -> None:
    files = [Attached("book", "Some words of a long book. " * 20_000), Attached("note", "The code word is tulip.")]
    for attached in (files, files[::-1]):
        prompt = prompts.build("generate", "What does the note say?", attached=attached, context_window=4096)
        content = prompt.messages[-1]["content"]
        assert "The code word is tulip." in content
        assert content.count("Some words") > 100


@pytest.mark.parametrize("text", ["長い文章。", "Some words of a long book. "])
@pytest.mark.parametrize("room", [20, 100, 400])
def test_little_room_is_used_as_well(room: int, text: str) -> None:
    short = condense(text * 3000, "", room)
    assert room / 3 < token_count(short) <= room


def test_a_condensed_text_has_its_beginning_what_was_asked_for_and_parts_from_everywhere() -> None:
    chapters = [f"Chapter {number}. " + "Nothing much happened in those days. " * 15 for number in range(200)]
    chapters[137] += "Then Ottoline found the key in a teapot."
    short = condense("\n\n".join(chapters), "Where was Ottoline's key?", 2000)
    assert token_count(short) <= 2000
    assert short.startswith("Chapter 0.")
    assert "found the key in a teapot" in short
    assert GAP in short
    numbers = [int(part.split(".")[0]) for part in short.split("Chapter ")[1:]]
    assert numbers == sorted(numbers)
    spread = condense("\n\n".join(chapters), "", 2000)
    assert max(int(part.split(".")[0]) for part in spread.split("Chapter ")[1:]) > 150
