"""The title that a conversation gets by itself."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from chatsite.chat import conversations, titling, turns
from chatsite.chat.feed import FEED
from chatsite.chat.models import Conversation, Titling, Turn
from tests.browser.steps import LETTER
from tests.pages import rows
from tests.processes import Process, wait_until
from workers.connections import client
from workers.models import answered


def current(turn: Turn) -> Conversation:
    return Conversation.objects.get(pk=turn.conversation_id)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("What is the capital of Peru?", "What is the capital of Peru?"),
        ("  /summarise   The\nharbour ", "The harbour"),
        ("/summarise", "/summarise"),
        ("word " * 30, "word " * 11 + "word…"),
        ("x" * 100, "x" * 60 + "…"),
    ],
)
def test_at_once_the_first_words_are_the_title(alice: Any, defaults: None, text: str, title: str) -> None:
    assert turns.submit(alice, text=text).conversation.title == title


@pytest.mark.processes
def test_after_the_answer_the_title_says_what_a_long_message_is_about(alice: Any, workers: Process) -> None:
    turn = turns.submit(alice, text=f"Summarise this in one sentence:\n\n{LETTER}")
    assert current(turn).title.startswith("Summarise this")
    wait_until(lambda: not current(turn).title.startswith("Summarise this"), what="a title")
    title = current(turn).title
    assert title.rstrip("…") in LETTER
    assert len(title) <= titling.LENGTH + 1
    wait_until(lambda: Titling.objects.get().status == "done", what="the end of the job")
    frames = [orjson.loads(fields[b"frame"]) for _, fields in client().xrange(FEED)]
    assert [frame["title"] for frame in frames if frame["type"] == "conversation"] == [title]


@pytest.mark.parametrize("text", ["Short", "long " * 30])
def test_a_title_is_asked_for_once_and_only_for_a_long_first_message(alice: Any, text: str) -> None:
    turn = rows.turn(alice, text)
    Conversation.objects.update(title=titling.first_words(text))
    later = rows.turn(alice, "another " * 30, conversation=turn.conversation, parent=turn.reply)
    for one in (later, turn, turn):
        answered.send(sender=type(turn.completion), completion=one.completion)
    assert Titling.objects.count() == (0 if text == "Short" else 1)


def test_a_title_that_the_person_gave_is_never_replaced(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(titling, "_best_sentence", lambda message: "A machine's idea")
    turn = rows.turn(alice, "long " * 30)
    Conversation.objects.update(title=titling.first_words("long " * 30))
    answered.send(sender=type(turn.completion), completion=turn.completion)
    conversations.rename(alice, conversation_id=turn.conversation_id, title="Mine")
    titling.run(Titling.objects.get())
    assert current(turn).title == "Mine"
    again = rows.turn(alice, "long " * 30)
    conversations.rename(alice, conversation_id=again.conversation_id, title="Mine, too")
    answered.send(sender=type(again.completion), completion=again.completion)
    assert Titling.objects.count() == 1


def test_a_message_without_words_keeps_what_it_has(alice: Any) -> None:
    turn = rows.turn(alice, "?! " * 60)
    titling.run(Titling.objects.create(conversation=turn.conversation, message=turn.message))
    assert current(turn).title.startswith("?!")
