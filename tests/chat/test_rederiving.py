"""A decision is a pure function: what was stored comes out again, in another process, of any revision."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import transaction
from django.utils import timezone

from chatsite.chat import answering, turns
from chatsite.chat.models import Turn
from router.models import Decision, Route
from router.revisions import publish
from router.rows import read_rows
from tests import processes
from workers.jobs import Job
from workers.models import Completion

MESSAGES = processes.ROOT / "router" / "data" / "messages"
COUNT = 1000
SEED = 20_260


def texts() -> list[str]:
    paths: list[Path] = sorted(MESSAGES.glob("*.jsonl"))
    return [str(row["text"]) for path in paths for row in read_rows(path, "text", "role")]


def change_the_routes(chance: random.Random, group: Group) -> Iterator[None]:
    """Four revisions: the defaults, then with rules, with routes within a role, and with one not for everybody."""
    yield
    Route.objects.get(name="summarise").rules.create(kind="longer_than", value="400", position=1)
    Route.objects.get(name="classify").rules.create(kind="pattern", value=r"\b(?:is|are|was)\b", position=2)
    publish(None, "rules")
    yield
    for name in ("poems", "letters"):
        route = Route.objects.create(name=name, title=name.title(), description=f"Writing {name}.", role="generate")
        for number in range(4):
            about = chance.choice(["rain", "trains", "tea"])
            route.examples.create(text=f"Write me {number + 1} {name} about {about}")
    publish(None, "routes within a role")
    yield
    Route.objects.get(name="poems").groups.add(group)
    Route.objects.filter(name="classify").update(threshold=0.9)
    publish(None, "not for everybody")
    yield


def a_message(chance: random.Random, pool: list[str]) -> dict[str, Any]:
    """A text, now and then a long one, and perhaps a wish."""
    text = "\n\n".join(chance.sample(pool, chance.choice([1, 1, 1, 1, 2, 8])))
    match chance.randrange(8):
        case 0:
            return {"text": text, "wanted_route": "summarise"}
        case 1:
            return {"text": f"/classify {text}"}
    return {"text": text}


def decided(user: Any, former: Turn | None, message: dict[str, Any]) -> Turn:
    """A turn whose decision is stored as a worker stores it; after a former one, in the same conversation."""
    turn = turns.submit(user, **message, conversation_id=former and former.conversation_id)
    request = answering._request(turn, answering._history(turn.message), [])
    decision = answering._decide(turn.conversation_id, request).store()
    Turn.objects.filter(pk=turn.pk).update(decision=decision, status=Job.Status.DONE, finished_at=timezone.now())
    return turn


def answer(turn: Turn, text: str) -> None:
    """What the next message of the conversation has before it."""
    facts = {"role": "generate", "prompt": [], "status": Job.Status.DONE, "finished_at": timezone.now()}
    completion = Completion.objects.create(reply_id=turn.pk, text=text, **facts)
    Turn.objects.filter(pk=turn.pk).update(completion=completion)


@pytest.mark.processes
@pytest.mark.django_db(transaction=True)
def test_a_thousand_decisions_come_out_again_in_a_fresh_process(alice: Any, bob: Any, defaults: None) -> None:
    chance, pool, group = random.Random(SEED), texts(), Group.objects.create(name="poets")
    alice.groups.add(group)
    last: dict[Any, Turn] = {}
    for _ in change_the_routes(chance, group):
        with transaction.atomic():
            for _ in range(COUNT // 4):
                user = chance.choice([alice, bob])
                former = last.get(user.pk) if chance.random() < 0.4 else None
                last[user.pk] = decided(user, former, a_message(chance, pool))
                answer(last[user.pk], chance.choice(pool))

    kinds = Counter(Decision.objects.values_list("strategy", flat=True))
    assert sum(kinds.values()) == COUNT
    assert min(kinds[strategy] for strategy in Decision.Strategy) > 10, kinds
    assert Decision.objects.exclude(context="").count() > 100
    assert Decision.objects.exclude(groups=[]).count() > 300
    assert Decision.objects.values("revision").distinct().count() == 4

    command = [sys.executable, "-m", "tests.chat.rederive"]
    again = subprocess.run(command, cwd=processes.ROOT, env=processes.environment(), capture_output=True, check=False)
    assert again.returncode == 0, again.stderr.decode()
    assert json.loads(again.stdout) == {"count": COUNT, "different": []}
