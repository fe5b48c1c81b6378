"""`manage.py ask`: one message on the way that every message goes."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.conftest import Connect

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

TEXT = (
    "Summarise in one sentence:\n\nThe harbour was closed on Monday after a storm had torn two cranes from rails. "
    "Repairs will take a week. Ships wait outside, and the shops run out of fruit."
)


def ask(*arguments: str) -> str:
    output = StringIO()
    call_command("ask", *arguments, stdout=output)
    return output.getvalue()


def test_running_workers_answer(workers: Any) -> None:
    answer = json.loads(ask(TEXT, "--json"))
    assert answer["status"] == "done"
    assert answer["decision"]["route"] == "summarise"
    assert answer["model"] == "MiniLM extractive"
    assert answer["answer"] in TEXT


def test_without_a_generative_model_it_says_so(workers: Any) -> None:
    answer = json.loads(ask("Write a poem about rain", "--route", "generate", "--json"))
    assert answer["error"]["code"] == "no_model"
    assert "No generative model is connected" in answer["error"]["text"]


def test_a_connected_model_answers(workers: Any, connect: Connect) -> None:
    connect("tokens3")
    assert json.loads(ask("hello", "--route", "generate", "--json"))["answer"] == "t0 t1 t2 "


def test_before_anything_is_published_it_says_what_to_run(db: None) -> None:
    with pytest.raises(CommandError, match="load_defaults"):
        ask("hello")


@pytest.mark.parametrize(("arguments", "words"), [(("x", "--route", "nowhere"), "no route"), ((" ",), "mpty|rite")])
def test_what_cannot_be_sent_is_refused(defaults: None, arguments: tuple[str, ...], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        ask(*arguments)
