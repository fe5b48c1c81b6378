"""Many ask at the same moment, of two web processes: exactly as many are let in as may be."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from chatsite.chat.models import Turn
from faults.installation import installation
from faults.pages import Browser
from faults.recording import Record, Scaled
from faults.runs import sessions

pytestmark = pytest.mark.database

OPEN_PER_PERSON = 2 + 5


def test_row_28_exactly_as_many_are_let_in_as_may_be(seed: int, record: Record, scaled: Scaled) -> None:
    most, people = scaled(60, 20), scaled(180, 60)
    with installation(webs=2, routes=0, remotes=0, reapers=0, WAITING_IN_ALL=str(most)) as made:
        ports = made.ports

        def post(number: int, session: str) -> int:
            return Browser(session, ports[number % len(ports)]).send("Go on")

        with ThreadPoolExecutor(32) as pool:
            one = Counter(pool.map(post, range(20), sessions(1) * 20))
            assert one == {302: OPEN_PER_PERSON, 429: 20 - OPEN_PER_PERSON}
            everybody = Counter(pool.map(post, range(people), sessions(people + 1)[1:]))
    record(28, "asked at the same moment", {"answers": Turn.objects.count(), "refused": one[429] + everybody[503]})
    assert everybody == {302: most - OPEN_PER_PERSON, 503: people - most + OPEN_PER_PERSON}
    assert Turn.objects.count() == most
