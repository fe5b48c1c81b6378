"""“Why?” and the badge, as the page has them, against the rows of the database: every fact, and nothing else."""

from __future__ import annotations

import html
import re
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from chatsite.chat import turns
from chatsite.chat.models import Turn
from router.models import Decision, Route
from tests.conftest import Connect
from tests.processes import Process, wait_until
from workers.models import Completion, Model

pytestmark = pytest.mark.processes

UNITS = {"ms": 1, "s": 1000, "min": 60_000}


def answered(turn: Turn) -> Turn:
    """The turn with its rows, once the answer is there and all that “Why?” needs is stored."""

    def current() -> Turn:
        return Turn.objects.select_related("completion__answered_by", "decision", "reply").get(pk=turn.pk)

    wait_until(lambda: not current().answer.is_open, what="the answer")
    wait_until(lambda: "examples" in current().decision.evidence, what="the evidence")  # type: ignore[union-attr]
    return current()


def text(markup: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", markup)).strip()


def facts(page: str) -> dict[str, str]:
    return {text(name): text(value) for name, value in re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page)}


def milliseconds(shown: str) -> float:
    return sum(float(number) * UNITS[unit] for number, unit in re.findall(r"([\d.]+) (ms|s|min)\b", shown))


def assert_duration(shown: str, expected: float) -> None:
    """In milliseconds; shown to the millisecond, and from one second on to the tenth of one."""
    assert milliseconds(shown) == pytest.approx(expected, abs=0.6 if expected < 1000 else 51)


def assert_after(shown: str, since: datetime, until: datetime | None) -> None:
    assert until
    assert_duration(shown, (until - since).total_seconds() * 1000)


def test_every_fact_is_that_of_the_rows(client: Client, alice: Any, connect: Connect, workers: Process) -> None:
    _, second = connect("error404", "tokens4")
    Model.objects.filter(pk=second.pk).update(prompt_price=Decimal("3"), completion_price=Decimal("9"))
    turn = answered(turns.submit(alice, text="Tell me a story about a lighthouse and its keeper"))
    decision, completion = turn.decision, turn.completion
    assert isinstance(decision, Decision)
    assert isinstance(completion, Completion)
    assert completion.cost > 0
    client.force_login(alice)
    page = client.get(f"/c/{turn.conversation_id}/").content.decode()
    titles = dict(Route.objects.values_list("name", "title"))

    # The badge: the model that really answered.
    assert completion.answered_by == second
    assert re.findall(r'<span class="model">(.*?)</span>', page) == ["tokens4"]
    assert re.findall(r'<span class="route">(.*?)</span>', page) == [titles[decision.route]]

    # The scores of all routes, and who came next.
    rows = re.findall(r'<th scope="row">(.*?)</th>.*?<td class="number">(.*?)</td>', page, re.DOTALL)
    assert {text(title) for title, _ in rows} == {titles[name] for name in decision.scores}
    percent = {titles[name]: 100 * score for name, score in decision.scores.items()}
    for title, shown in rows:
        assert float(re.sub(r"[^\d.]", "", text(shown))) == pytest.approx(percent[title], abs=1)
    shown_facts = facts(page)
    runner_up = shown_facts.pop("Runner-up")
    assert runner_up.startswith(titles[decision.evidence["runner_up"]])
    assert str(round(100 * decision.evidence["margin"])) in runner_up
    assert decision.threshold is not None
    assert shown_facts.pop("Threshold") == f"{round(100 * decision.threshold)} %"
    for example in decision.evidence["examples"]:
        assert html.escape(example["text"][:100]) in page

    # How the answer went.
    assert shown_facts.pop("Router revision") == str(decision.revision_id)
    assert_duration(shown_facts.pop("Decided in"), decision.duration_ms)
    sent_at = turn.reply.created_at
    assert_after(shown_facts.pop("Waited"), sent_at, completion.started_at)
    assert_after(shown_facts.pop("First words after"), sent_at, completion.first_token_at)
    assert_after(shown_facts.pop("Finished after"), sent_at, completion.finished_at)
    tokens = f"{completion.prompt_tokens} read + {completion.completion_tokens} written"
    assert shown_facts.pop("Tokens") == tokens
    assert Decimal(shown_facts.pop("Cost")) == completion.cost
    assert shown_facts == {}
