"""What comes over a socket is in the language of the page that opened it, whoever else is watching."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chatsite.chat.models import Turn
from tests.chat.sockets import Tab, make_async, tab
from tests.pages import rows
from tests.processes import pretended_worker
from tests.sessions import session_of
from workers import line
from workers.line import Place

pytestmark = pytest.mark.django_db(transaction=True)


async def words_of_a_turn(tab: Tab, waiting: Turn) -> list[str]:
    """What a person is told of an answer that waits and is stopped, of a new one, and of a refusal."""
    await tab.send(type="attach", reply=str(waiting.pk))
    place = await tab.until("position")
    await tab.send(type="stop", reply=str(waiting.pk))
    finished = await tab.until("finished")
    await tab.send(type="again", reply=str(waiting.pk))
    turn = await tab.until("turn")
    await tab.send(type="again", reply=str(waiting.pk), route="nonsense")
    return [place["text"], finished["html"], turn["html"], (await tab.until("error"))["text"]]


async def test_each_person_is_told_in_their_own_language(
    alice: Any, bob: Any, defaults: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "places", lambda replies: {reply: Place(3, 8.0) for reply in replies})
    sessions = [await make_async(session_of)(person) for person in (alice, bob)]
    waiting = [await make_async(rows.turn)(person, status="queued") for person in (alice, bob)]
    # What one process renders for all its tabs does not depend on whose tab came first.
    with pretended_worker(queues=["route", "remote"]):
        async with tab(sessions[0]) as english, tab(sessions[1], language="de-AT,de;q=0.9") as german:
            first, second = await asyncio.gather(
                words_of_a_turn(english, waiting[0]), words_of_a_turn(german, waiting[1])
            )
    wanted = ["3rd in line · about 8 seconds", "Stopped.", "Choosing a route…", "There is no route /nonsense."]
    translated = [
        "Platz 3 in der Reihe · etwa 8 Sekunden",
        "Angehalten.",
        "Route wird gewählt …",
        "Eine Route /nonsense",
    ]
    for said, words in ((first, wanted), (second, translated)):
        assert [word for text, word in zip(said, words, strict=True) if word not in text] == []
